"""trainctl as a library: the same verbs, from a Python program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

import trainctl
from tests.e2e.conftest import TRAIN
from tests.e2e.line import CommandLine
from trainctl.errors import NotFoundError, RefusedError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    line = CommandLine(tmp_path)
    line.write("train.py", TRAIN)
    monkeypatch.setenv("TRAINCTL_HOME", str(line.state))
    monkeypatch.setenv("HOME", str(line.home))
    monkeypatch.setenv("PATH", line.env["PATH"])
    monkeypatch.chdir(line.project)
    yield line.project
    line.end_all()


def test_a_run_is_started_awaited_and_read(project: Path):
    run = trainctl.run("train.py", "--steps", "2", name="mine", tags=["x"])

    assert run.wait(30) == 0
    assert (run.name, run.state, run.reason, run.exit_code) == ("mine", "ended", "succeeded", 0)
    assert list(run.logs()) == ["step 1", "step 2"]
    assert list(run.logs(tail=1)) == ["step 2"]
    assert run.checkpoints == [str(project / "out" / f"step_{n}.pt") for n in (1, 2)]


def test_runs_are_found_again(project: Path):
    first = trainctl.run("train.py", name="first", tags=["x"])
    first.wait(30)
    trainctl.run("train.py", "--exit", "3", name="second").wait(30)

    assert [run.name for run in trainctl.runs()] == ["second", "first"]
    assert [run.name for run in trainctl.runs(tag="x")] == ["first"]
    assert trainctl.get("sec").exit_code == 3
    with pytest.raises(NotFoundError):
        trainctl.get("third")


def test_a_run_is_stopped_and_resumed(project: Path):
    run = trainctl.run("train.py", "--steps", "90", "--sleep", "0.1")
    assert next(run.logs(follow=True)) == "step 1"
    with pytest.raises(TimeoutError):
        run.wait(0.2)
    run.stop()
    assert run.reason == "stopped"

    run.resume("--steps", "1", from_checkpoint=None)
    assert run.wait(30) == 0


def test_checkpoints_are_listed_verified_and_begun_with(project: Path):
    trainctl.run("train.py", "--steps", "2", name="base").wait(30)
    newest, older = trainctl.list_checkpoints("base")

    assert [newest.step, older.step] == [2, 1]
    assert newest in trainctl.list_checkpoints("out")
    assert [one.path for one in trainctl.list_checkpoints(limit=1)] == [newest.path]
    assert trainctl.verify_checkpoint(newest.path) == []
    Path(newest.path).write_bytes(b"")
    assert trainctl.verify_checkpoint(newest.path) != []
    run = trainctl.run("train.py", "--out", "other", resume="base")
    assert run.wait(30) == 0
    assert next(run.logs()) == "resumed at 2"


def test_a_wrong_call_raises_and_starts_nothing(project: Path):
    with pytest.raises(NotFoundError, match=r"there is no file nosuch\.py"):
        trainctl.run("nosuch.py")
    with pytest.raises(RefusedError):
        trainctl.run("train.py", gpus=99)
    assert trainctl.runs() == []


def test_importing_it_loads_nothing_heavy():
    heavy = ["click", "rich", "sqlite3", "asyncio", "trainctl.api"]
    probe = f"import sys, trainctl; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
