"""What a folder's verdict is when some of its files were not looked into."""

from __future__ import annotations

import pytest

from tests.fakes.sources import MemorySource
from tests.hostile import pickling, zipping
from tests.unit.checkpoints.formats.test_folders_of_frameworks import safetensors
from trainctl.checkpoints.formats import files, registry
from trainctl.checkpoints.formats.protocol import Verdict
from trainctl.checkpoints.reading import pickles

GOOD, EVIL = pickling.state(step=pickling.number(3)), pickling.run("os", "system", "id")
ZIPPED = zipping.torch_zip(EVIL)
WEIGHTS = safetensors("a")


def verdict(**more: bytes) -> Verdict:
    return registry.inspect(MemorySource("step-5", {"model.safetensors": WEIGHTS, **more})).verdict


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no pickle of more than these bytes were read."""
    monkeypatch.setattr(pickles, "STREAM_BYTES", 400)


def test_weights_documents_and_harmless_pickles_are_data():
    beside = {"config.json": b"{}", "notes.txt": b"PK", "tokenizer.model": b"\n\x0e", "x": b""}
    assert verdict(**beside) == Verdict.DATA
    assert verdict(**{"scheduler.pt": GOOD}) == Verdict.DATA


@pytest.mark.usefixtures("short")
def test_a_pickle_too_long_to_be_read_is_no_data():
    assert verdict(**{"optimizer.pt": EVIL + bytes(400)}) == Verdict.OPAQUE
    padded = zipping.torch_zip(EVIL + bytes(400))
    assert verdict(**{"optimizer.pt": padded}) == Verdict.OPAQUE


@pytest.mark.usefixtures("short")
def test_code_and_damage_are_told_whatever_else_was_not_read():
    padded = EVIL + bytes(400)
    assert verdict(**{"optimizer.pt": padded, "a.pt": EVIL}) == Verdict.CODE
    assert verdict(**{"optimizer.pt": padded, "a.pt": b"x"}) == Verdict.MALFORMED


@pytest.mark.parametrize("name", ["optimizer.PT", "state", "extra.npz", "sub/state.dill"])
@pytest.mark.parametrize("data", [EVIL, ZIPPED])
def test_a_pickle_by_any_other_name_is_no_data(name: str, data: bytes):
    assert verdict(**{name: data}) == Verdict.OPAQUE


def test_a_folder_below_that_is_not_read_is_no_data():
    assert verdict(**{"config.json": b"{}"}) == Verdict.DATA
    weights = {"config.json": b"{}", "model.safetensors": WEIGHTS, "original/a.pth": EVIL}
    seen = registry.inspect(MemorySource("final", weights))
    assert (seen.format, seen.verdict) == ("pretrained", Verdict.OPAQUE)


def test_files_beyond_those_that_are_read_are_no_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "FILES", 1)
    assert verdict(**{"optimizer.pt": GOOD}) == Verdict.OPAQUE
    assert verdict(**{"second.safetensors": WEIGHTS}) == Verdict.DATA


def test_shards_that_another_reader_reads_are_left_to_it():
    shards = {"m/.metadata": GOOD, "m/__0_0.distcp": ZIPPED}
    source = MemorySource("step-5", {"scheduler.pt": GOOD, **shards})
    assert files.read_files(source, source.files(), ["m"]).verdict == Verdict.DATA
    assert files.read_files(source, source.files()).left == tuple(shards)


def test_shards_alone_tell_for_themselves():
    source = MemorySource("step-5", {"m/.metadata": GOOD})
    parts = files.read_files(source, source.files(), ["m"])
    assert files.verdict_with(parts, []) == Verdict.OPAQUE
    assert files.verdict_with(parts, [Verdict.DATA]) == Verdict.DATA
