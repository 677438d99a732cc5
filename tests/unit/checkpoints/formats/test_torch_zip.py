"""Torch's zips: what is read without torch is what torch itself loads."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import need
from tests.hostile import pickling
from tests.hostile.memory import MemorySource
from tests.hostile.zipping import torch_zip
from trainctl.checkpoints.formats.protocol import Inspection, Tensor, Verdict
from trainctl.checkpoints.formats.torch_zip import TORCH, read_pickle, read_torch, scalar_of
from trainctl.checkpoints.source import LocalSource

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="not run: needs the Python package torch")

pytestmark = [need.module("torch"), pytest.mark.filterwarnings("ignore")]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a loaded checkpoint, by its dotted path."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}.{index}" if path else str(index))


def inspected(path: Path) -> Inspection:
    with LocalSource(str(path)) as source:
        assert TORCH.recognise(source)
        assert TORCH.verify(source) == []
        return TORCH.inspect(source)


def as_said(tensors: tuple[Tensor, ...]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {tensor.name: (tensor.shape, tensor.dtype) for tensor in tensors}


def as_loaded(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    loaded = torch.load(path, weights_only=False)
    return {
        name: (tuple(item.shape), str(item.dtype).removeprefix("torch."))
        for name, item in leaves(loaded)
    }


def training_state() -> dict[str, Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(3, 8)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "rng_state": torch.get_rng_state(),
        "iter_num": 7,
        "epoch": 2,
        "best_val_loss": 0.25,
        "config": {"lr": 1e-3, "name": "tiny"},
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_names_shapes_and_dtypes_are_those_that_torch_loads(tmp_path: Path, protocol: int):
    path = tmp_path / "ckpt.pt"
    torch.save(training_state(), path, pickle_protocol=protocol)

    found = inspected(path)

    assert as_said(found.tensors) == as_loaded(path)
    assert (found.step, found.epoch, found.best_metric) == (7, 2, ("best_val_loss", 0.25, "min"))
    assert found.has_optimizer
    assert found.scalars["config.name"] == "tiny"
    assert found.scalars["optimizer.param_groups.0.lr"] == 1e-3
    assert {tensor.part for tensor in found.tensors} == {"model", "optimizer", "rng"}
    assert found.verdict == Verdict.DATA
    assert found.findings == ()


def test_a_tensors_place_holds_its_numbers(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save(training_state()["model"], path)
    loaded, data = torch.load(path), path.read_bytes()

    for tensor in inspected(path).tensors:
        assert tensor.part == "model"
        numbers = loaded[tensor.name].contiguous().reshape(-1).view(torch.uint8)
        assert data[tensor.start : tensor.end] == bytes(numbers.tolist())


DTYPES = """
    float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128
    uint16 uint32 uint64 float8_e4m3fn float8_e5m2
""".split()  # noqa: SIM905  # a list of names, to be read as one


def test_every_dtype_is_known_by_name_and_size(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({name: torch.zeros(3, 2, dtype=getattr(torch, name)) for name in DTYPES}, path)

    found = inspected(path)

    assert as_said(found.tensors) == as_loaded(path)
    for tensor in found.tensors:
        assert tensor.bytes == 6 * getattr(torch, tensor.dtype).itemsize
        assert (tensor.end or 0) - (tensor.start or 0) == tensor.bytes


def test_views_share_the_bytes_of_one_storage(tmp_path: Path):
    path, whole = tmp_path / "model.pt", torch.arange(12.0).reshape(3, 4)
    torch.save({"whole": whole, "row": whole[1], "tied": whole, "empty": whole[:0]}, path)

    found = {tensor.name: tensor for tensor in inspected(path).tensors}

    start = found["whole"].start
    assert start is not None
    assert (found["tied"].start, found["tied"].end) == (start, start + 48)
    assert (found["row"].start, found["row"].end) == (start + 16, start + 32)
    assert (found["empty"].start, found["empty"].bytes) == (start, 0)


def test_tensors_of_other_kinds_are_found(tmp_path: Path):
    path = tmp_path / "model.pt"
    quantized = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
    kinds = {
        "parameter": torch.nn.Parameter(torch.ones(2, 3)),
        "sparse": torch.eye(4).to_sparse(),
        "csr": torch.eye(4).to_sparse_csr(),
        "quantized": quantized,
        "meta": torch.empty(5, device="meta"),
        "scalar": torch.tensor(2.5),
    }
    torch.save(kinds, path)

    found = inspected(path)

    assert as_said(found.tensors) == as_loaded(path)
    assert {tensor.name: tensor.bytes for tensor in found.tensors}["meta"] == 0
    assert found.verdict == Verdict.DATA
    scalar = next(tensor for tensor in found.tensors if tensor.name == "scalar")
    with LocalSource(str(path)) as source:
        assert scalar_of(source, scalar) == 2.5


def test_a_whole_module_runs_code_and_shows_its_tensors(tmp_path: Path):
    path, module = tmp_path / "model.pt", torch.nn.Sequential(torch.nn.Linear(4, 2))
    torch.save({"model": module, "epoch": 3}, path)

    found = inspected(path)

    assert found.verdict == Verdict.CODE
    assert "torch.nn.modules.linear.Linear" in found.imports
    names = {tensor.name: tensor.shape for tensor in found.tensors}
    assert names == {"model.0.weight": (2, 4), "model.0.bias": (2,)}
    assert found.epoch == 3


def test_torchscript_is_told_from_a_training_state(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(4, 2)), path)

    found = inspected(path)

    assert (found.framework, found.verdict) == ("torchscript", Verdict.CODE)
    assert {tensor.name for tensor in found.tensors} == {"weight", "bias"}


def test_an_optimizers_own_file_is_all_optimizer(tmp_path: Path):
    path = tmp_path / "optimizer.pt"
    torch.save(training_state()["optimizer"], path)

    assert {tensor.part for tensor in inspected(path).tensors} == {"optimizer"}


def test_a_file_without_checksums_is_no_damaged_file(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.ones(3)}, path)
    finally:
        torch.serialization.set_crc32_options(True)

    assert as_said(inspected(path).tensors) == {"w": ((3,), "float32")}


def test_a_zip_within_another_file_is_read_where_it_lies(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({"step": 5, "w": torch.ones(3)}, path)
    inner = path.read_bytes()

    source = MemorySource(b"before" * 9 + inner + b"after")
    found = read_torch(source, start=54, size=len(inner))

    assert found.findings == ()
    assert found.scalars == {"step": 5}
    start, end = found.tensors[0].start, found.tensors[0].end
    assert source.data[start:end] == struct.pack("<3f", 1, 1, 1)


def test_a_bare_pickle_is_read_without_places():
    found = read_pickle(MemorySource(pickling.state(w=pickling.tensor(), step=b"K\x05")))

    assert found.findings == ()
    assert found.scalars == {"step": 5}
    assert (found.tensors[0].shape, found.tensors[0].start) == ((4, 4), None)


def test_inspecting_takes_three_reads(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({f"layer.{i}.weight": torch.ones(1) for i in range(3_000)}, path)
    source = MemorySource(path.read_bytes())

    assert len(TORCH.inspect(source).tensors) == 3_000
    assert source.reads == 3


def test_every_flipped_bit_of_the_data_is_located(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save(training_state()["model"], path)
    with LocalSource(str(path)) as source:
        tensors = TORCH.inspect(source).tensors

    for tensor in tensors:
        data = bytearray(path.read_bytes())
        data[tensor.start or 0] ^= 16
        (finding,) = TORCH.verify(MemorySource(bytes(data)))
        assert f"tensor {tensor.name}, bytes {tensor.start} to" in finding


def test_flips_and_cuts_anywhere_are_survived_and_cuts_always_told(tmp_path: Path):
    path = tmp_path / "ckpt.pt"
    torch.save(training_state(), path)
    whole, dice = path.read_bytes(), random.Random(0)

    for _ in range(300):
        flipped = bytearray(whole)
        flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        TORCH.recognise(MemorySource(bytes(flipped)))
        TORCH.verify(MemorySource(bytes(flipped)))
        cut = MemorySource(whole[: dice.randrange(len(whole))])
        assert TORCH.inspect(cut).findings


def test_what_is_no_zip_of_torchs_is_not_recognised(tmp_path: Path):
    assert not TORCH.recognise(MemorySource(b""))
    assert not TORCH.recognise(MemorySource(b"PK\3\4" + bytes(600)))
    assert not TORCH.recognise(LocalSource(str(tmp_path)))
    assert TORCH.recognise(MemorySource(torch_zip(b"N.", top="x" * 600)))


def test_a_pickle_too_long_to_read_is_not_looked_into():
    found = TORCH.inspect(MemorySource(torch_zip(b"\x80\x02N." + bytes(65 << 20))))

    assert (found.verdict, found.findings) == (Verdict.OPAQUE, ())
