"""What each checkpoint is seen as, in the order in which readers are tried, and none too early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.sources import MemorySource
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.formats.protocol import Verdict

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(64)
DEEPSPEED = {
    "mp_rank_00_model_states.pt": b"x",
    "zero_pp_rank_0_mp_rank_00_optim_states.pt": b"x",
    "zero_pp_rank_1_mp_rank_00_optim_states.pt": b"x",
}
TENSORFLOW = {
    "checkpoint": b'model_checkpoint_path: "ckpt-1"',
    "ckpt-1.index": b"x",
    "ckpt-1.data-00000-of-00001": b"x",
}


@pytest.mark.parametrize(
    ("name", "files", "format"),
    [
        ("old.pt", {"": LEGACY}, "torch-legacy"),
        ("global_step10", DEEPSPEED, "deepspeed"),
        ("iter_0000200", {"mp_rank_00/model_optim_rng.pt": b"x"}, "megatron"),
        ("checkpoint_7", {"": b"\x82\xa6params"}, "flax"),
        ("model.msgpack", {"": b"\xde\x00\x10"}, "flax"),
        ("ckpts", TENSORFLOW, "tensorflow"),
        ("model.joblib", {"": b"\x80\x04."}, "joblib"),
        ("model.pkl", {"": b"\x80\x04N."}, "pickle"),
        ("notes.pt", {"": b"hello"}, "opaque"),
        ("step-5", {"notes.txt": b"hello"}, "opaque"),
        ("empty", {}, "opaque"),
        ("out", {"checkpoint-5/trainer_state.json": b"{}", "config.json": b"{}"}, "opaque"),
        ("runs", {"a/.metadata": b"x", "a/__0_0.distcp": b"x"}, "opaque"),
    ],
)
def test_it_is_seen_as(name: str, files: dict[str, bytes], format: str):
    source = MemorySource(name, files)
    seen = registry.inspect(source)
    assert seen.format == format
    assert registry.recognise(source).verify(source) is not None
    assert registry.resuming(seen).how


def test_what_is_opaque_is_sized_and_not_looked_into():
    seen = registry.inspect(MemorySource("global_step10", DEEPSPEED))
    assert (seen.verdict, seen.tensors, seen.step) == (Verdict.OPAQUE, (), 10)
    assert (seen.world_size, seen.has_optimizer) == (2, True)
    assert registry.resuming(seen).same_world_size


def test_a_rank_that_did_not_write_is_told():
    two = {**DEEPSPEED, "zero_pp_rank_0_mp_rank_01_optim_states.pt": b"x"}
    (finding,) = registry.inspect(MemorySource("global_step10", two)).findings
    assert finding == "zero_pp_rank_1_mp_rank_01_optim_states.pt is missing"


def test_a_shard_of_tensorflows_that_is_gone_is_told():
    files = {**TENSORFLOW, "ckpt-2.data-00000-of-00002": b"x"}
    assert registry.inspect(MemorySource("ckpts", files)).findings == (
        "ckpt-2.index is missing",
        "ckpt-2.data-00001-of-00002 is missing",
    )


def test_nothing_and_a_cut_zip_are_told():
    assert registry.inspect(MemorySource("a.pt", {"": b""})).findings == ("it is empty",)
    assert registry.inspect(MemorySource("a.bin", {"": b"PK\3\4" + bytes(20)})).findings


def test_every_format_that_is_told_has_a_reader():
    names = {each.name for each in registry.formats()}
    assert {"torch", "safetensors", "dcp", "huggingface", "orbax", "keras", "opaque"} <= names


def test_readers_are_imported_when_their_turn_comes(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    program = (
        "import sys; from trainctl.checkpoints.formats import registry;"
        "from trainctl.checkpoints.source import LocalSource;"
        "registry.inspect(LocalSource(sys.argv[1])); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a.safetensors"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    readers = {name for name in loaded if name.startswith("trainctl.checkpoints.formats.")}
    assert readers == {
        f"trainctl.checkpoints.formats.{name}" for name in ("registry", "protocol", "safetensors")
    }
    assert not loaded & {"hashlib", "zipfile", "dataclasses", "subprocess", "pickle"}


NAMES = st.sampled_from(
    [
        "",
        ".metadata",
        "__0_0.distcp",
        "trainer_state.json",
        "training_args.bin",
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "optimizer.bin",
        "random_states_0.pkl",
        "_CHECKPOINT_METADATA",
        "default/_METADATA",
        "config.json",
        "adapter_config.json",
        "latest.weights.h5",
        "training_metadata.json",
        "mp_rank_00_model_states.pt",
        "x.index",
    ]
)
CONTENT = (
    st.binary(max_size=60)
    | st.just(b"{}")
    | st.just(b"\x80\x02N.")
    | st.sampled_from([b'{"weight_map": {"a": "../../x"}}', b'{"log_history": [1, {"loss": []}]}'])
    | st.binary(max_size=60).map(b"PK\3\4".__add__)
    | st.binary(max_size=90).map(b"\x89HDF\r\n\x1a\n".__add__)
)


@given(st.sampled_from(["step-5", "a.keras", "a.pt", "b"]), st.dictionaries(NAMES, CONTENT))
def test_any_files_are_answered(name: str, files: dict[str, bytes]):
    if "" in files:
        files = {"": files[""]}
    source = MemorySource(name, files)
    registry.inspect(source)
    registry.recognise(source).verify(source)
