"""Folders of frameworks with something wrong in them: told in a sentence, and nothing followed."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest

from tests.fakes.sources import MemorySource
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.formats.protocol import Inspection, Verdict


def safetensors(*names: str) -> bytes:
    header = {
        name: {"dtype": "F32", "shape": [2], "data_offsets": [8 * at, 8 * at + 8]}
        for at, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8 * len(names))


def look(name: str, files: dict[str, bytes]) -> Inspection:
    return registry.inspect(MemorySource(name, files))


ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


def sharded(shards: object, total: int = 16, **files: bytes) -> Inspection:
    index = json.dumps({"metadata": {"total_size": total}, "weight_map": shards}).encode()
    both = {ONE: safetensors("a"), TWO: safetensors("b"), INDEX: index}
    return look("final", {**both, **files})


def test_an_index_and_its_shards_agree():
    seen = sharded({"a": ONE, "b": TWO})
    assert (seen.format, seen.findings, seen.parameters) == ("pretrained", (), 4)


def test_a_tensor_that_is_not_in_its_shard_is_told():
    assert sharded({"a": ONE, "c": TWO}).findings == (f"{TWO}: c is not in it, as {INDEX} says",)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "gone.safetensors"])
def test_an_index_leads_nowhere_else(path: str):
    assert f"{INDEX} names {path}, which is not in it" in sharded({"a": ONE, "b": path}).findings


@pytest.mark.parametrize("shards", [{}, [], None, "x", {"a": 3}, {"a": {"b": []}}])
def test_an_index_of_anything_else_is_told(shards: object):
    assert sharded(shards).findings


def test_shards_that_hold_less_than_they_should_are_told():
    assert sharded({"a": ONE, "b": TWO}, total=99).findings == (
        f"{INDEX} tells of 99 bytes; its shards hold 16",
    )


def test_shards_without_an_index_are_told():
    seen = look("checkpoint-5", {ONE: safetensors("a"), "config.json": b"{}"})
    assert f"{TWO} is missing" in seen.findings
    assert f"{INDEX} is missing" in seen.findings


def trainer(state: bytes, **more: bytes) -> Inspection:
    weights = {"model.safetensors": safetensors("a"), "trainer_state.json": state}
    return look("checkpoint-5", {**weights, **more})


def test_a_log_of_megabytes_is_read_at_its_ends():
    entry = {"epoch": 1.0, "loss": 2.5, "step": 1}
    log = [entry] * 90_000 + [{**entry, "loss": 0.125, "step": 5}, {"eval_loss": 0.5, "step": 5}]
    state = {"epoch": 1.5, "best_metric": 0.5, "global_step": 5, "log_history": log, "z": 1}
    text = json.dumps(state, indent=2, sort_keys=True).encode()
    weights = {"model.safetensors": safetensors("a"), "trainer_state.json": text}
    source = MemorySource("checkpoint-5", weights)
    seen = registry.inspect(source)
    assert len(text) > 4 << 20
    assert source.read_bytes < 2 << 20
    assert (seen.step, seen.epoch, seen.loss) == (5, 1.5, 0.125)
    assert (seen.metrics["eval_loss"], seen.findings) == (0.5, ())


def test_a_long_log_that_is_cut_is_told():
    text = json.dumps({"global_step": 5, "log_history": [{"loss": 1.0}] * 99_999}, indent=2)
    (finding,) = trainer(text.encode()[:-9]).findings
    assert finding == "trainer_state.json is cut off"


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"global_step": 5, "global_step": 6}'])
def test_a_state_that_is_none_is_told(state: bytes):
    assert trainer(state).findings


@pytest.mark.parametrize("value", [b'"x"', b"1e999", b"null", b"true", b"[5]", b"1" * 5_000])
def test_a_step_that_is_none_is_none(value: bytes):
    seen = trainer(b'{"epoch": ' + value + b', "global_step": ' + value + b"}")
    assert seen.step is None


def test_a_folder_of_another_step_is_told():
    (finding,) = trainer(b'{"global_step": 7}').findings
    assert finding == "trainer_state.json is of step 7, the folder of 5"


def test_weights_that_are_gone_are_told():
    seen = look("checkpoint-5", {"trainer_state.json": b'{"global_step": 5}'})
    assert seen.findings == ("no file in it holds a model's weights",)


def archive(config: object, *, weights: bytes | None = b"", method: int = 0) -> Inspection:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        made.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        made.writestr("config.json", json.dumps(config))
        if weights is not None:
            made.writestr("model.weights.h5", weights)
    return look("a.keras", {"": buffer.getvalue()})


LAMBDA = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": "x"}}
FOREIGN = {"class_name": "Layer", "module": "os.path", "registered_name": "Layer"}
WRAPPED = {"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {"module": "x"}}
OWN = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}}


def function(module: str, name: str) -> dict[str, str]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


@pytest.mark.parametrize(
    ("layer", "verdict", "imports"),
    [
        (OWN, Verdict.DATA, ()),
        (LAMBDA, Verdict.CODE, ("keras.Lambda",)),
        ({"class_name": "__lambda__", "config": {}}, Verdict.CODE, ("keras.__lambda__",)),
        (FOREIGN, Verdict.CODE, ("os.path.Layer",)),
        ({**OWN, "module": "keras_evil"}, Verdict.CODE, ("keras_evil.Dense",)),
        ({"class_name": "X", "registered_name": "mine>X"}, Verdict.CODE, ("mine>X",)),
        (WRAPPED, Verdict.CODE, ("keras.TorchModuleWrapper",)),
        (
            {**WRAPPED, "class_name": "layers.TorchModuleWrapper", "module": "keras"},
            Verdict.CODE,
            ("keras.TorchModuleWrapper",),
        ),
        (function("builtins", "eval"), Verdict.CODE, ("builtins.eval",)),
        (function("keras.utils", "get_file"), Verdict.CODE, ("keras.utils.get_file",)),
        (function("keras", "utils.get_file"), Verdict.CODE, ("keras.utils.get_file",)),
        ({**OWN, "class_name": "eval", "module": "builtins"}, Verdict.CODE, ("builtins.eval",)),
        (function("keras.saving", "load_model"), Verdict.CODE, ("keras.saving.load_model",)),
        (function("src", "src"), Verdict.CODE, ("src.src",)),
        (function("", ""), Verdict.CODE, (".",)),
        (function("keras.src.losses.losses", "mean_squared_error"), Verdict.DATA, ()),
        (function("keras.activations", "relu"), Verdict.DATA, ()),
    ],
)
def test_what_a_layer_would_run_is_told(layer: dict, verdict: Verdict, imports: tuple):
    nested = {"class_name": "Sequential", "module": "keras", "config": {"layers": [[layer]]}}
    seen = archive(nested)
    assert (seen.verdict, seen.imports, seen.version) == (verdict, imports, "3.15.1")


def test_an_archive_without_weights_or_with_broken_ones_is_told():
    assert "the archive holds no model.weights.h5" in archive(OWN, weights=None).findings
    assert archive(OWN, weights=b"x" * 200).findings


def test_a_configuration_that_unpacks_without_end_is_not_unpacked():
    seen = archive({"class_name": "x" * (40 << 20)}, method=zipfile.ZIP_DEFLATED)
    assert any("more than is ever read" in finding for finding in seen.findings)


def orbax(name: str = "7", **files: bytes) -> Inspection:
    top = {"item_handlers": {"state": "a.StandardCheckpointHandler"}, "commit_timestamp_nsecs": 1}
    tree = {"tree_metadata": {"('a',)": {"key_metadata": [{"key": "a"}], "value_metadata": {}}}}
    usual = {
        "_CHECKPOINT_METADATA": json.dumps(top).encode(),
        "state/_METADATA": json.dumps(tree).encode(),
    }
    return look(name, {**usual, **files})


def test_a_step_of_orbax_has_its_number_for_a_name():
    assert (orbax().step, orbax().findings) == (7, ())
    assert orbax("ckpt_12").step == 12
    assert orbax("final").step is None


def test_an_uncommitted_step_of_orbax_is_told():
    assert orbax("7.orbax-checkpoint-tmp").findings[0].startswith("it was never given its final")
    assert orbax(_CHECKPOINT_METADATA=b'{"commit_timestamp_nsecs": null}').findings


@pytest.mark.parametrize(
    "tree", [b"{}", b'{"tree_metadata": [1]}', b'{"tree_metadata": {"a": {"value_metadata": 3}}}']
)
def test_a_tree_of_anything_is_answered(tree: bytes):
    files = {"_CHECKPOINT_METADATA": b'{"commit_timestamp_nsecs": 1}', "state/_METADATA": tree}
    assert look("7", files).tensors == ()


def test_a_distributed_checkpoint_without_metadata_is_told():
    seen = look("step-5", {"__0_0.distcp": b"x", "__1_0.distcp": b"x"})
    assert (seen.format, seen.world_size) == ("dcp", 2)
    assert seen.findings == (".metadata is missing or empty",)


@pytest.mark.parametrize("data", [b"x", b"\x80\x04N.", b"\x80\x04}.", b"\x80\x02]q\0."])
def test_a_metadata_that_is_none_is_told(data: bytes):
    seen = look("step-5", {".metadata": data, "__0_0.distcp": b"x"})
    assert seen.findings
