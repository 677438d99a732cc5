"""`trainctl checkpoint prune`, `pin` and `unpin`: what they say, and what is there afterwards."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Trainctl
from trainctl.kit import guards, manifest, removing
from trainctl.kit.manifest import About
from trainctl.kit.names import Home
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore

OLD = time.time() - 86_400


@pytest.fixture
def home(project: Path) -> Home:
    made = Home(f"{project.parent}/state")
    os.makedirs(made.path, mode=0o700)
    return made


def save(path: Path, at: float, size: int = 4096) -> Path:
    """A whole checkpoint of so many bytes of weights."""
    header = {"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + os.urandom(16) * (size // 16))
    os.utime(path, (at, at))
    return path


@pytest.fixture
def out(project: Path, home: Home) -> Path:
    """Six of them, a day old; all but the first are verified, the third is the best."""
    folder = project / "out"
    for step in range(1, 7):
        path = save(folder / f"step-{step}.safetensors", OLD + step)
        if step > 1:
            about = About("made", 1, step, {"val_loss": abs(step - 3) + 0.5})
            manifest.write(home.manifests, manifest.make(str(path), about))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_without_yes_nothing_goes_and_everything_is_explained(out: Path, trainctl: Trainctl):
    answer = trainctl("checkpoint", "prune", "out", "--keep-last", "1")
    lines = {line.split()[0]: line for line in answer.out.splitlines()}
    assert answer.code == 0
    assert "stays  among the last two verified; among the last 1" in lines["step-6.safetensors"]
    assert "goes   no rule keeps it" in lines["step-2.safetensors"]
    assert "would remove 4 of 6 checkpoints" in answer.err
    assert "--yes" in answer.err
    assert len(names(out)) == 6


def test_with_yes_what_no_rule_keeps_goes_with_its_manifest(
    out: Path, home: Home, trainctl: Trainctl
):
    rules = ("--keep-last", "1", "--keep-best", "1:val_loss:min")
    answer = trainctl("checkpoint", "prune", "out", *rules, "--yes")
    assert "removed 3 of 6 checkpoints" in answer.err
    assert names(out) == ["step-3", "step-5", "step-6"]
    assert len(os.listdir(home.manifests)) == 3
    again = trainctl("checkpoint", "prune", "out", *rules, "--yes", "--json")
    assert again.data["freed_bytes"] == 0
    assert [row["stays"] for row in again.data["checkpoints"]] == [True] * 3


def test_json_tells_rules_reasons_and_what_became_of_each(out: Path, trainctl: Trainctl):
    words = ("checkpoint", "prune", "out", "--max-size", "13kB", "--json")
    planned = trainctl(*words).data
    done = trainctl(*words, "--yes").data
    assert (planned["dry_run"], done["dry_run"]) == (True, False)
    assert planned["rules"]["max_size"] == 13_000
    assert planned["freed_bytes"] == done["freed_bytes"] > 0
    gone = [row["name"] for row in done["checkpoints"] if row["removed"]]
    assert gone == [row["name"] for row in planned["checkpoints"] if not row["stays"]]
    assert gone == ["step-3.safetensors", "step-2.safetensors", "step-1.safetensors"]


def test_a_pin_holds_until_it_is_taken_away(out: Path, trainctl: Trainctl):
    path = f"{out}/step-1.safetensors"
    assert trainctl("checkpoint", "pin", "out/step-1.safetensors").out == f"pinned  {path}\n"
    words = ("checkpoint", "prune", "out", "--keep-last", "1", "--json")
    rows = {row["name"]: row for row in trainctl(*words).data["checkpoints"]}
    assert rows["step-1.safetensors"]["reasons"] == ["pinned"]
    answer = trainctl("checkpoint", "unpin", path, "--json")
    assert answer.data == {"pinned": False, "checkpoints": [path]}
    rows = {row["name"]: row for row in trainctl(*words).data["checkpoints"]}
    assert rows["step-1.safetensors"]["reasons"] == []


def test_what_is_held_only_since_the_plan_stays_and_is_told(
    out: Path, trainctl: Trainctl, monkeypatch: pytest.MonkeyPatch
):
    def held(_: Home, path: str) -> list[str]:
        return ["pinned"] * path.endswith("step-1.safetensors")

    monkeypatch.setattr(guards, "on", held)
    answer = trainctl("checkpoint", "prune", "out", "--keep-last", "1", "--yes")
    assert answer.code == 0
    assert "removed 3 of 6 checkpoints" in answer.err
    assert "step-1.safetensors stays after all: pinned" in answer.err
    assert names(out) == ["step-1", "step-5", "step-6"]


def test_what_is_open_young_linked_overwritten_or_not_whole_stays(out: Path, trainctl: Trainctl):
    (out / "best").symlink_to(out / "step-1.safetensors")
    save(out / "last.safetensors", OLD)
    save(out / "step-7.safetensors", time.time())
    (out / "step-0.safetensors").write_bytes(b"cut")
    os.utime(out / "step-0.safetensors", (OLD, OLD))
    with (out / "step-2.safetensors").open("rb"):
        answer = trainctl("checkpoint", "prune", "out", "--keep-last", "1", "--yes", "--json")
    told = {row["name"].split(".")[0]: row["reasons"] for row in answer.data["checkpoints"]}
    assert told["step-1"] == ["best leads to it"]
    assert told["step-2"] == ["open in a process"]
    assert told["step-7"][0] == "younger than an hour"
    assert told["last"] == ["its name tells no step: a script may look for it"]
    assert "not whole" in told["step-0"][0]
    assert told["step-3"] == told["step-4"] == []
    gone = {"step-3", "step-4"}
    assert not gone & set(names(out))
    assert {"step-0", "step-1", "step-2", "step-5", "step-7", "last"} <= set(names(out))


def test_each_folder_is_judged_by_itself(project: Path, home: Home, trainctl: Trainctl):
    for run in ("a", "b"):
        for step in range(4):
            save(project / "runs" / run / f"step-{step}.safetensors", OLD + step)
    trainctl("checkpoint", "prune", "runs", "--keep-last", "1", "--yes")
    assert names(project / "runs/a") == names(project / "runs/b") == ["step-2", "step-3"]


def test_what_a_killed_removal_left_goes_too(out: Path, trainctl: Trainctl):
    (out / f"{removing.PREFIX}00").mkdir()
    trainctl("checkpoint", "prune", "out", "--keep-last", "9")
    assert len(list(out.iterdir())) == 7
    trainctl("checkpoint", "prune", "out", "--keep-last", "9", "--yes")
    assert len(list(out.iterdir())) == 6


def test_a_folder_store_is_pruned_as_a_store(out: Path, project: Path, trainctl: Trainctl):
    store = FolderStore(str(project / "store"))
    for step in range(1, 7):
        path = str(out / f"step-{step}.safetensors")
        shelf.push(store, manifest.make(path, About("made", 1, step))._replace(made=OLD + step))
    pinned = next(one for one in shelf.shelved(store, "made") if one.step == 2)
    url = f"file://{store.url}/{pinned.key}"
    assert trainctl("checkpoint", "pin", url).code == 0
    for where in ("store", "store/runs/made", f"file://{store.url}"):
        answer = trainctl("checkpoint", "prune", where, "--keep-last", "1", "--json")
        rows = answer.data["checkpoints"]
        assert [row["step"] for row in rows if row["stays"]] == [6, 5, 2]
    answer = trainctl("checkpoint", "prune", "store", "--keep-last", "1", "--yes")
    assert "removed 3 of 6 checkpoints" in answer.err
    assert [one.step for one in shelf.shelved(store, "made")] == [2, 5, 6]
    data = [path.name for path in (project / "store/runs").rglob("*.safetensors")]
    assert sorted(data) == ["step-2.safetensors", "step-5.safetensors", "step-6.safetensors"]


def test_the_rules_of_the_settings_hold_where_none_is_given(
    out: Path, project: Path, trainctl: Trainctl
):
    (project / "trainctl.toml").write_text("keep_last = 3\nmax_size = '1GB'\n")
    rows = trainctl("checkpoint", "prune", "out", "--json").data["checkpoints"]
    assert [row["step"] for row in rows if row["stays"]] == [6, 5, 4]
    given = trainctl("checkpoint", "prune", "out", "--keep-last", "4", "--json").data
    assert given["rules"]["max_size"] is None
    assert [row["step"] for row in given["checkpoints"] if row["stays"]] == [6, 5, 4, 3]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("out",), 2, "no rule says what to keep"),
        (("out", "--keep-last", "0"), 2, "above zero"),
        (("out", "--keep-best", "3"), 2, "after N come the metric's name"),
        (("out", "--max-size", "much"), 2, "is not a size"),
        (("out/step-3.safetensors", "--keep-last", "1"), 2, "is itself a checkpoint"),
        (("nowhere", "--keep-last", "1"), 4, "there is no checkpoint, folder or run"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    out: Path, trainctl: Trainctl, words: tuple[str, ...], code: int, told: str
):
    answer = trainctl("checkpoint", "prune", *words)
    assert (answer.code, told in answer.err) == (code, True)
    assert "try: " in answer.err
    assert len(names(out)) == 6


@pytest.mark.parametrize(
    ("what", "code"), [("out", 2), ("nowhere", 4), ("file:///store/elsewhere", 4)]
)
def test_only_a_checkpoint_can_be_pinned(out: Path, trainctl: Trainctl, what: str, code: int):
    answer = trainctl("checkpoint", "pin", what)
    assert (answer.code, "try: " in answer.err) == (code, True)


def test_nothing_to_prune_is_said(project: Path, home: Home, trainctl: Trainctl):
    (project / "empty").mkdir()
    answer = trainctl("checkpoint", "prune", "empty", "--keep-last", "1")
    assert (answer.code, "no checkpoints in" in answer.err) == (0, True)


def test_a_metric_that_none_has_removes_nothing(out: Path, trainctl: Trainctl):
    rules = ("--keep-last", "1", "--keep-best", "2:val_los:min")
    answer = trainctl("checkpoint", "prune", "out", *rules, "--yes")
    assert answer.code == 4
    assert "no checkpoint here has val_los; they have val_loss" in answer.err
    assert "did you mean val_loss?" in answer.err
    assert len(names(out)) == 6


def test_what_is_asked_for_again_names_the_same_place(out: Path, trainctl: Trainctl):
    answer = trainctl("checkpoint", "prune", "out")
    assert "try: trainctl checkpoint prune out --keep-last" in answer.err
