"""A run that begins with a checkpoint: of a path, of another run, of a store; and who knows it."""

from __future__ import annotations

import json
import os

import pytest

from tests.e2e.line import CommandLine


@pytest.fixture
def base(trainctl: CommandLine) -> CommandLine:
    """A run `base` that has written the checkpoints of steps 1 to 3."""
    trainctl.ok("run", "--name", "base", "train.py", "--steps", "3")
    return trainctl


def begin(line: CommandLine, checkpoint: str, *more: str) -> tuple[str, str]:
    """Output and notices of a run `tuned` that begins with it."""
    words = ("--name", "tuned", "train.py", "--steps", "4", "--out", "other")
    done = line.ok("checkpoint", "resume", *more, checkpoint, *words)
    return done.out, done.err


def test_it_begins_with_the_checkpoint_at_a_path(base: CommandLine):
    out, _ = begin(base, "out/step_2.pt")
    assert out.splitlines() == ["resumed at 3", "step 3", "step 4"]


def test_options_may_stand_before_the_checkpoint_too(base: CommandLine):
    begin(base, "out/step_2.pt", "--tag", "a")
    assert base.show("tuned")["job"]["tags"] == ["a"]


def test_of_a_run_it_takes_the_newest_that_holds(base: CommandLine):
    (base.project / "out" / "step_3.pt").write_text("PK\x03\x04")
    out, said = begin(base, "base")

    assert "resumed at 3" in out
    assert "passed over" in said
    assert "step_3.pt" in said


def test_one_that_does_not_hold_is_refused_and_nothing_is_started(base: CommandLine):
    path = base.project / "out" / "step_2.pt"
    base.ok("checkpoint", "verify", str(path))
    before = path.stat()
    path.write_text(path.read_text().replace("2", "1"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = base("checkpoint", "resume", "out/step_2.pt", "--name", "tuned", "train.py")

    assert done.code == 125
    assert "out/step_2.pt does not hold: differs from its manifest" in done.err
    assert "trainctl checkpoint verify --renew" in done.err
    assert not base.run_folder("tuned").exists()


def test_what_saved_nothing_of_its_own_begins_with_it_again(base: CommandLine):
    words = ("--name", "tuned", "train.py", "--steps", "2", "--out", "other")
    base.ok("run", "--resume", "out/step_2.pt", *words)
    done = base.ok("resume", "tuned", "--steps", "3")

    assert "goes on from out/step_2.pt" in done.err
    assert done.out.splitlines() == ["resumed at 3", "step 3"]


def test_it_is_recorded_and_told_on_both_sides(base: CommandLine):
    begin(base, "out/step_2.pt")
    begun = base.show("tuned")["begun"]

    assert (begun["asked"], begun["run"], begun["attempt"]) == ("out/step_2.pt", "base", 1)
    assert "made by attempt 1 of base, step 2" in base.ok("show", "tuned").out
    info = base.ok("checkpoint", "info", "out/step_2.pt").out
    assert "made by attempt 1 of base" in info
    assert "attempt 1 of tuned went on from it" in info


def test_a_deleted_run_is_no_heir_any_more(base: CommandLine):
    begin(base, "out/step_2.pt")
    base.ok("delete", "--yes", "tuned")

    assert "tuned" not in base.ok("checkpoint", "info", "out/step_2.pt").out


@pytest.mark.parametrize("asked", ["key", "url", "run"])
def test_one_in_a_store_is_fetched_into_the_runs_own_folder(base: CommandLine, asked: str):
    store = base.project / "store"
    base.ok("checkpoint", "push", "--to", str(store), "out/step_2.pt")
    [folder] = (store / "runs" / "base").iterdir()
    named = {"key": f"runs/base/{folder.name}", "url": f"file://{folder}", "run": ""}[asked]
    named = named or f"file://{store}/runs/base"
    done = base.ok(
        *("checkpoint", "resume", named, "--name", "tuned", "train.py", "--steps", "3"),
        TRAINCTL_STORE=str(store),
    )
    told = base.show("tuned")
    path = told["attempts"][0]["resumed_from"]

    assert done.out.splitlines() == ["resumed at 3", "step 3"]
    assert path == str(base.run_folder("tuned") / "begun" / "step_2.pt")
    assert json.loads((base.run_folder("tuned") / "begun" / "step_2.pt").read_text()) == {
        "step": 2
    }
    assert (told["begun"]["run"], told["begun"]["step"]) == ("base", 2)
    base.ok("checkpoint", "verify", path)


def test_what_the_store_does_not_have_starts_nothing(base: CommandLine):
    words = ("runs/base/1-9-0123456789ab", "--name", "tuned", "train.py")
    done = base("checkpoint", "resume", *words, TRAINCTL_STORE=str(base.project))

    assert done.code == 125
    assert not base.run_folder("tuned").exists()


@pytest.mark.parametrize("words", [(), ("out/step_2.pt",), ("--name", "x", "out/step_2.pt")])
def test_without_a_command_it_says_what_is_missing(base: CommandLine, words: tuple[str, ...]):
    done = base("checkpoint", "resume", *words)

    assert done.code == 125
    assert "a checkpoint and a command are needed" in done.err
