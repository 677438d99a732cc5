"""Whatever observing and keeping raise, the attempt is closed, and it is told once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.torture.yard import job_of
from trainctl.kit import events, files
from trainctl.kit.checkpoints import Found
from trainctl.kit.names import AttemptFolder, Home, RunFolder
from trainctl.supervisor import closing, observing, retrying
from trainctl.supervisor.keeping import Keeper

WHOLE = b"\x80\x04."


class Failing(Keeper):
    """Raises for what is named `bad`, and at the end of every attempt."""

    def __init__(self, run: RunFolder, job: dict[str, Any]) -> None:
        super().__init__(run, job)
        self.looked: list[str] = []

    def knows(self, found: Found) -> bool:
        if "bad" in found.path:
            raise OverflowError("bad")
        return False

    def look(self, complete: list[Found]) -> None:
        self.looked += [os.path.basename(one.path) for one in complete]

    def finish(self, wanted: Callable[[], bool], *, last: bool) -> None:
        raise RuntimeError(f"cannot finish, last={last}, wanted={wanted()}")


class Ended:
    """A run whose only attempt has failed and is not closed yet."""

    def __init__(self, folder: Path) -> None:
        self.run = Home(str(folder / "home")).run("r")
        self.attempt: AttemptFolder = self.run.attempt(1)
        os.makedirs(self.attempt.path)
        os.makedirs(self.run.checkpoints)
        files.write_json(self.attempt.pid, {"started": 1.0})
        end = {"code": 1, "signal": None, "started": 1.0, "ended": 2.0}
        files.write_json(self.attempt.exit, end)
        self.job: dict[str, Any] = {
            **job_of(self.run, ["train"], str(folder)),
            "checkpoint_dirs": [self.run.checkpoints],
            "retries": 1,
        }
        self.keeper = Failing(self.run, self.job)

    def save(self, name: str) -> None:
        Path(self.run.checkpoints, name).write_bytes(WHOLE)


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    return Ended(tmp_path)


def test_one_that_cannot_be_judged_keeps_no_other_from_being_noted(ended: Ended):
    ended.save("step-1.pkl")
    ended.save("bad-2.pkl")
    note(ended)

    assert ended.keeper.looked == ["step-1.pkl"]


def test_what_fails_at_every_look_is_told_once(ended: Ended, capsys: pytest.CaptureFixture[str]):
    ended.job["checkpoint_dirs"] = None
    note(ended)
    note(ended)

    assert capsys.readouterr().err.count("Traceback") == 1


def test_an_attempt_closes_whatever_its_keeper_raises(ended: Ended):
    files.write_json(ended.attempt.pid, {"started": "never"})
    end = closing.close(ended.run, ended.job, ended.attempt, ended.keeper)

    assert end is not None
    assert (end["reason"], end["next"]) == ("failed", 2)


def test_a_retry_that_cannot_be_prepared_is_called_off_with_the_word(ended: Ended):
    del ended.job["resume"]

    assert retrying.start(ended.run, ended.job, ended.attempt, 0.0, ended.keeper) is None
    [told] = events.read(ended.attempt.events).records
    assert told["event"] == "retry_cancelled"
    assert told["by"] == "a fault of trainctl's own (KeyError: 'resume')"


def note(ended: Ended) -> None:
    observing.note_checkpoints(ended.job, ended.attempt, ended.keeper, writers_alive=False)
