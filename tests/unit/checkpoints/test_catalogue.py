"""A tree's checkpoints by names alone: which there are, in which order, and what is read anew."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from trainctl.checkpoints import catalogue, ordering
from trainctl.checkpoints.cache import Cache
from trainctl.checkpoints.catalogue import Folder

LATER = 10.0  # seconds: no file of a test is fresh any more


def files(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(root: Path, depth: int | None = 4, sort: str = "step") -> list[str]:
    tree = catalogue.walk(str(root), depth=depth)
    entries = list(ordering.ordered(tree.folders, sort))
    assert tree.total == len(entries)
    return [os.path.relpath(entry.path, root) for entry in entries]


def test_the_highest_step_comes_first_and_what_has_none_before_it(tmp_path: Path):
    files(tmp_path, "step_9.pt", "step_10.pt", "last.pt", "notes.txt", "step_11.pt.tmp")
    assert listed(tmp_path) == ["last.pt", "step_10.pt", "step_9.pt"]


def test_a_folder_that_is_a_checkpoint_is_one_and_nothing_in_it(tmp_path: Path):
    files(tmp_path, "checkpoint-2/model.safetensors", "checkpoint-10/optimizer.pt")
    files(tmp_path, "final/config.json", "final/model.safetensors")
    assert sorted(listed(tmp_path)) == ["checkpoint-10", "checkpoint-2", "final"]


def test_the_folder_that_changed_last_comes_first(tmp_path: Path):
    files(tmp_path, "old/step_900.pt", "new/step_1.pt")
    os.utime(tmp_path / "old", (1, 1))
    assert listed(tmp_path) == ["new/step_1.pt", "old/step_900.pt"]
    assert listed(tmp_path, sort="name") == ["new/step_1.pt", "old/step_900.pt"]


def test_by_age_and_by_size_files_are_looked_at(tmp_path: Path):
    files(tmp_path, "a.pt", "b.pt")
    (tmp_path / "b.pt").write_bytes(bytes(9))
    os.utime(tmp_path / "b.pt", (1, 1))
    assert listed(tmp_path, sort="age") == ["a.pt", "b.pt"]
    assert listed(tmp_path, sort="size") == ["b.pt", "a.pt"]


def test_depth_ends_where_it_is_told_to(tmp_path: Path):
    files(tmp_path, "1/2/3/4/step_5.pt")
    assert listed(tmp_path) == []
    assert listed(tmp_path, depth=None) == ["1/2/3/4/step_5.pt"]


def test_a_loop_of_links_ends_and_a_link_to_a_file_counts(tmp_path: Path):
    files(tmp_path, "run/step_1.pt")
    (tmp_path / "run/loop").symlink_to(tmp_path)
    (tmp_path / "run/last.pt").symlink_to("step_1.pt")
    assert listed(tmp_path, depth=None) == ["run/last.pt", "run/step_1.pt"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files(tmp_path, "a/step_1.pt", "b/step_2.pt")
    scandir = os.scandir

    def refusing(path: str):
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    tree = catalogue.walk(str(tmp_path), depth=4)
    assert [error.filename for error in tree.unread] == [f"{tmp_path}/a"]
    assert tree.total == 1


@pytest.mark.parametrize(
    ("name", "step"),
    [("checkpoint-00010", 10), ("epoch=3-step=70.ckpt", 70), ("step_5_of_10.pt", 5)],
)
def test_steps_are_those_that_names_tell(tmp_path: Path, name: str, step: int):
    files(tmp_path, f"{name}/x" if name.startswith("checkpoint") else name, f"step_{step + 1}.pt")
    assert listed(tmp_path) == [f"step_{step + 1}.pt", name]


def test_a_folder_is_not_read_again_while_its_time_is_the_same(tmp_path: Path):
    files(tmp_path, "run/step_1.pt")
    cache = Cache(str(tmp_path / "state/catalogue"), time.time() + LATER)
    mark = catalogue.mark_of(str(tmp_path / "run"))
    before = catalogue.walk(str(tmp_path / "run"), depth=4)
    cache.keep_folders(mark, before.folders)

    known = cache.folders(mark)
    again = catalogue.walk(str(tmp_path / "run"), depth=4, known=known)
    assert again.folders[0] is known[str(tmp_path / "run")]
    assert again.folders == before.folders

    files(tmp_path, "run/step_2.pt")
    anew = catalogue.walk(str(tmp_path / "run"), depth=4, known=known)
    assert anew.folders[0].names == ["step_2.pt", "step_1.pt"]


def test_what_changed_just_now_is_not_kept(tmp_path: Path):
    files(tmp_path, "run/step_1.pt")
    cache = Cache(str(tmp_path / "state/catalogue"), time.time())
    mark = catalogue.mark_of(str(tmp_path / "run"))
    cache.keep_folders(mark, catalogue.walk(str(tmp_path / "run"), depth=4).folders)
    assert cache.folders(mark) == {}


def test_a_damaged_cache_is_none(tmp_path: Path):
    cache = Cache(str(tmp_path / "state/catalogue"), time.time() + LATER)
    mark = (1, 2, 3, 4)
    cache.keep_rows(mark, {"step_1.pt": [[1, 2], "k", None, "no", []]})
    assert cache.rows(mark) == {"step_1.pt": [[1, 2], "k", None, "no", []]}
    (file,) = (tmp_path / "state/catalogue").iterdir()
    data = file.read_bytes()
    for at in range(0, len(data), 7):
        file.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert cache.rows(mark) in ({}, {"step_1.pt": [[1, 2], "k", None, "no", []]})
        file.write_bytes(data[:at])
        assert cache.rows(mark) == {}


def test_the_cache_is_bounded_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainctl.checkpoints.cache.FILES", 10)
    cache = Cache(str(tmp_path / "state/catalogue"), time.time() + LATER)
    for number in range(100):
        cache.keep_rows((1, number, 0, 0), {"a": [number]})
    assert len(list((tmp_path / "state/catalogue").iterdir())) <= 11
    assert cache.rows((1, 99, 0, 0)) == {"a": [99]}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "state").write_text("no folder")
    cache = Cache(str(tmp_path / "state/catalogue"), time.time() + LATER)
    cache.keep_folders((1, 2, 3, 4), [Folder("x", (1, 2, 3, 4), [], "", [], is_one=False)])
    assert cache.folders((1, 2, 3, 4)) == {}


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("loss", "min"),
        ("eval_loss", "min"),
        ("val/wer", "min"),
        ("perplexity", "min"),
        ("eval_accuracy", "max"),
        ("f1", "max"),
        ("score:min", "min"),
        ("odd:name:max", "max"),
    ],
)
def test_a_metric_tells_which_way_is_better(text: str, mode: str):
    assert ordering.metric(text).mode == mode


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(ValueError, match="METRIC:min"):
        ordering.metric("loss:low")


def test_nan_and_nothing_are_never_the_best():
    for text in ("loss", "acc"):
        metric = ordering.metric(text)
        ranked = sorted([None, float("nan"), 2.0, 1.0], key=metric.rank)
        assert ranked[0] == (1.0 if text == "loss" else 2.0)
