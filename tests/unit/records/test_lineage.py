"""Which run made a checkpoint, and which attempts went on from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes import jobs
from trainctl.kit import events, heirs, launch, manifest
from trainctl.kit.manifest import About
from trainctl.kit.names import Home, RunFolder
from trainctl.records import lineage
from trainctl.records.lineage import Heir, Lineage, Made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(str(tmp_path / "home"))


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "step_4.pt"
    path.write_bytes(b"\x80\x04.")
    return str(path)


def a_run(home: Home, name: str, **begun: str) -> RunFolder:
    """A run whose attempts, such as `two="/out/a.pt"`, went on from these."""
    job = jobs.new_run(home, name, "local", ["train"])
    run = home.run(name)
    for number, word in enumerate(("one", "two", "three"), 1):
        plan = launch.render(run, job.to_json(), number, checkpoint=begun.get(word))
        plan.write(run, number)
        os.mkdir(run.attempt(number).path)
    return run


def file(home: Home, path: str, **about: object) -> None:
    manifest.write(home.manifests, manifest.make(path, About(**about)))  # type: ignore[arg-type]


def test_of_what_nobody_knows_nothing_is_told(home: Home, saved: str):
    assert lineage.of(home, saved) == Lineage()
    assert lineage.words(Lineage()) == []


def test_a_manifest_tells_who_made_it_and_its_attempt_what_from(home: Home, saved: str):
    a_run(home, "base", two="/out/step_2.pt")
    file(home, saved, run="base", attempt=2, step=4)
    found = lineage.of(home, saved)

    assert found.made == Made("base", 2, 4, there=True)
    assert found.parent == "/out/step_2.pt"
    assert lineage.words(found, "/out") == [
        "made by attempt 2 of base",
        "that attempt had gone on from step_2.pt",
    ]


def test_a_run_that_was_deleted_is_still_named(home: Home, saved: str):
    file(home, saved, run="old", attempt=1)

    assert lineage.words(lineage.of(home, saved)) == ["made by attempt 1 of old, which is deleted"]


def test_without_a_manifest_the_notes_of_the_newest_runs_tell(home: Home, saved: str):
    log = a_run(home, "base").attempt(3).checkpoints
    events.append(log, "checkpoint", {"path": saved, "step": 4, "mtime": 1.0, "size": 3})

    assert lineage.of(home, saved).made == Made("base", 3, 4, there=True)


def test_what_lies_in_a_runs_own_folder_is_looked_for_there(home: Home):
    run = a_run(home, "base")
    path = os.path.join(run.checkpoints, "step_1.pt")
    events.append(run.attempt(1).checkpoints, "checkpoint", {"path": path, "step": 1})

    assert lineage.of(home, path).made == Made("base", 1, 1, there=True)


def test_attempts_of_any_run_that_went_on_from_it_are_its_heirs(home: Home, saved: str):
    a_run(home, "base", two=saved)
    a_run(home, "tuned", one=saved, three=saved)
    found = lineage.of(home, saved)

    assert found.heirs == (Heir("base", 2), Heir("tuned", 1), Heir("tuned", 3))
    assert lineage.words(found) == [
        "attempt 2 of base, attempt 1 of tuned, attempt 3 of tuned went on from it"
    ]


def test_one_that_was_moved_is_known_by_what_it_holds(home: Home, saved: str):
    file(home, saved, run="base", attempt=1)
    a_run(home, "tuned", one=saved)
    moved = saved.replace("step_4", "moved")
    os.rename(saved, moved)
    file(home, moved, run="base", attempt=1)

    assert lineage.of(home, moved).heirs == (Heir("tuned", 1),)


def test_a_file_name_that_its_run_denies_is_no_heir(home: Home, saved: str):
    run = a_run(home, "base")
    heirs.note(run, 1, saved)

    assert lineage.of(home, saved).heirs == ()


def test_a_run_that_is_forgotten_leaves_no_name(home: Home, saved: str):
    run = a_run(home, "base", two=saved)
    heirs.forget(run, 2, saved)
    heirs.forget(run, 2, saved)

    assert lineage.of(home, saved).heirs == ()
    assert os.listdir(home.heirs) == []


def test_only_the_newest_runs_are_looked_into(home: Home, saved: str):
    old = a_run(home, "old")
    events.append(old.attempt(1).checkpoints, "checkpoint", {"path": saved, "step": 4})
    os.utime(old.path, (1, 1))
    for number in range(100):
        os.makedirs(home.run(f"r{number}").path)

    assert lineage.of(home, saved).made is None
