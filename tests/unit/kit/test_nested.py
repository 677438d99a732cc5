"""Folders nested deeper than Python's stack: told in a sentence, wherever checkpoints are seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.nested import nested_in
from trainctl.kit import checkpoints, completeness, contents
from trainctl.kit.checkpoints import Found


@pytest.fixture
def nested(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "checkpoint-9"
    with nested_in(made):
        yield made


def folders(root: Path, levels: int) -> None:
    deepest = os.path.join(root, *["d"] * levels)
    os.makedirs(deepest)
    Path(deepest, "state.json").write_text("{}")


def test_its_contents_are_refused_in_words(nested: Path):
    with pytest.raises(OSError, match="is nested deeper than 100 folders"):
        contents.stats(str(nested))


def test_the_agent_passes_it_over_and_sees_what_lies_beside_it(nested: Path):
    other = nested.parent / "checkpoint-10"
    folders(other, 3)
    assert checkpoints.look(str(nested)) is None
    assert [found.path for found in checkpoints.scan([str(nested.parent)])] == [str(other)]


def test_it_is_never_complete(nested: Path):
    found = Found(str(nested), 9, 7, 0.0, True)
    told = completeness.incompleteness(found, writers_alive=False)
    assert told == "it is nested deeper than 100 folders"


def test_what_is_nested_as_deep_as_it_may_be_is_one(tmp_path: Path):
    folders(tmp_path, contents.DEPTH)
    assert list(contents.stats(str(tmp_path))) == ["d/" * 100 + "state.json"]
    found = checkpoints.look(str(tmp_path))
    assert found is not None
    assert found.size == 2


def test_links_to_folders_are_not_followed(tmp_path: Path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "same.pt").symlink_to("model.pt")
    names = {os.path.basename(path) for path in checkpoints.files_in(str(tmp_path))}
    assert names == set(contents.stats(str(tmp_path))) == {"model.pt", "same.pt"}
