"""Headers of safetensors: what is read without it is what the library itself reads."""

from __future__ import annotations

import json
import random
from pathlib import Path

import hypothesis.strategies as some
import pytest
from hypothesis import given

from tests.hostile.headers import GOOD, of, raw
from tests.hostile.memory import MemorySource
from trainctl.checkpoints.formats.protocol import Verdict
from trainctl.checkpoints.formats.safetensors import (
    HEADER_BYTES,
    SAFETENSORS,
    parse,
    read_header,
)
from trainctl.checkpoints.source import LocalSource

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=20,
)
FIELDS = some.fixed_dictionaries(
    {
        "dtype": some.sampled_from(["F32", "BF16", "F4", "", "x"]) | JSON,
        "shape": some.lists(some.integers(-2, 1 << 40)) | JSON,
        "data_offsets": some.tuples(some.integers(-4, 1 << 70), some.integers(-4, 100)) | JSON,
    }
)


def test_tensors_and_metadata_are_those_that_the_library_reads(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="not run: needs the Python package torch")
    library = pytest.importorskip("safetensors", reason="not run: needs safetensors")
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    kinds = ("float32", "float16", "bfloat16", "int64", "uint8", "bool", "float8_e4m3fn")
    tensors = {f"layer.{kind}": torch.ones(3, 2).to(getattr(torch, kind)) for kind in kinds}
    save_file(tensors, path, metadata={"format": "pt", "step": "12"})

    with LocalSource(str(path)) as source:
        assert SAFETENSORS.recognise(source)
        found = SAFETENSORS.inspect(source)
        assert SAFETENSORS.verify(source) == []

    with library.safe_open(path, "pt") as opened:
        loaded = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # it is no mapping
        assert found.scalars == opened.metadata()
    said = {item.name: (item.shape, f"torch.{item.dtype}") for item in found.tensors}
    assert said == {name: (tuple(t.shape), str(t.dtype)) for name, t in loaded.items()}
    for item in found.tensors:
        numbers = loaded[item.name].reshape(-1).view(torch.uint8).tolist()
        assert path.read_bytes()[item.start : item.end] == bytes(numbers)
    assert (found.framework, found.step, found.verdict) == ("torch", 12, Verdict.DATA)
    assert found.findings == ()


def test_a_header_within_the_first_bytes_takes_one_read():
    source = MemorySource(of({"w": GOOD}))

    assert read_header(source).findings == ()
    assert source.reads == 1


def test_a_header_longer_than_is_ever_read_is_not_looked_into():
    found = SAFETENSORS.inspect(MemorySource(raw(b"{}" + b" " * HEADER_BYTES, 0)))

    assert (found.verdict, found.findings) == (Verdict.OPAQUE, ())


def test_padding_after_the_header_and_empty_tensors_are_allowed():
    empty = {"dtype": "F32", "shape": [0, 5], "data_offsets": [0, 0]}
    header = json.dumps({"w": GOOD, "none": empty, "__metadata__": {"a": "b"}}).encode() + b"   "

    assert read_header(MemorySource(raw(header))).findings == ()


def test_every_truncation_is_told():
    whole = of({"w": GOOD, "v": GOOD | {"data_offsets": [16, 32]}}, 32)

    for end in range(len(whole)):
        assert read_header(MemorySource(whole[:end])).findings


def test_what_is_none_is_not_recognised(tmp_path: Path):
    assert not SAFETENSORS.recognise(MemorySource(b""))
    assert not SAFETENSORS.recognise(MemorySource(b"PK\3\4" + bytes(60)))
    assert not SAFETENSORS.recognise(MemorySource((1 << 40).to_bytes(8, "little") + b"{"))
    assert not SAFETENSORS.recognise(LocalSource(str(tmp_path)))


@given(some.dictionaries(some.text(max_size=5), FIELDS | JSON, max_size=4), some.integers(0, 99))
def test_any_header_is_read_without_an_error(header: dict[str, object], data: int):
    source = MemorySource(of(header, data))

    found = SAFETENSORS.inspect(source)
    assert bool(found.findings) == (found.verdict == Verdict.MALFORMED)
    for tensor in found.tensors:
        assert tensor.bytes == (tensor.end or 0) - (tensor.start or 0)


@given(some.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes):
    SAFETENSORS.recognise(MemorySource(data))
    SAFETENSORS.inspect(MemorySource(data))
    SAFETENSORS.inspect(MemorySource(raw(b"{" + data)))


def test_a_flip_in_a_header_is_survived():
    whole, dice = of({"w": GOOD, "v": GOOD | {"data_offsets": [16, 32]}}, 32), random.Random(0)

    for _ in range(1_000):
        flipped = bytearray(whole)
        flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        SAFETENSORS.inspect(MemorySource(bytes(flipped)))


def test_the_parser_takes_objects_only():
    assert parse(b'{"a": {"b": 1}}') == {"a": {"b": 1}}
    with pytest.raises(ValueError, match="begin with"):
        parse(b"3")
