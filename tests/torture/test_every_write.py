"""Each write of a submit and of an event, one by one: killed there, refused there, full there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import need
from tests.conftest import SAMPLE
from tests.torture.board import Board
from tests.torture.strike import Point, Tried, strike_everywhere, struck, under
from tests.torture.yard import (
    PATIENCE_SECONDS,
    PYTHON,
    Traces,
    Yard,
    prepare,
    started,
    whole_log,
)
from trainctl.control.lookup import rows
from trainctl.kit import events, process, spawn
from trainctl.platforms import kit_zip
from trainctl.records import record
from trainctl.records.record import Record
from trainctl.records.rows import Wanted
from trainctl.records.state import Reason

LINES = 5
CODE = 7
NAME = "run"
KILL, FULL, BROKEN = "signal=SIGKILL", "error=ENOSPC", "error=EIO"
pytestmark = [need.tool("strace"), pytest.mark.timeout(1800)]


def submit(folder: Path, fault: str, point: Point) -> Tried:
    """A first command in a home of its own; then the next command, and what it finds."""
    with Yard(folder / f"{point.call}-{point.number}") as yard:
        trace = yard.folder / "trace"
        words = yard.cli("run", "-d", "--name", NAME, *_trainer(yard))
        done = subprocess.run(
            under(words, fault, point, trace),
            env=yard.environ,
            cwd=yard.folder,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Tried(struck(trace), _bad(yard, done))


def _trainer(yard: Yard) -> list[str]:
    return yard.trainer(NAME, lines=LINES, seconds=0.02)


def _bad(yard: Yard, done: subprocess.CompletedProcess[bytes]) -> str:
    """What is wrong after a submit that was struck. A name that is free must serve again."""
    traces = Traces(yard, NAME)
    yard.next_command()
    if done.returncode > 0 and not done.stderr.strip():
        return f"exit code {done.returncode} and no word"
    if b"Traceback" in done.stderr:
        return f"a traceback: {done.stderr.decode()}"
    if not record.exists(yard.run(NAME)):
        if done.returncode == 0 or traces.starts:
            return "the run is not there"
        yard.call("run", "-d", "--name", NAME, *_trainer(yard))
    return _badly_ended(yard, done.returncode)


def _badly_ended(yard: Yard, returncode: int) -> str:
    found, traces = yard.settled(NAME), Traces(yard, NAME)
    if traces.doubled:
        return "a trainer ran twice"
    if yard.secrets():
        return "the trainer's environment is left"
    if len(rows(yard.here(), Wanted())[0]) != 1:
        return "the list does not show it once"
    if found.reason is Reason.SUCCEEDED:
        return "" if traces.log(1) == whole_log(LINES) else "the log is not whole"
    refused = found.reason is Reason.SETUP_FAILED and not traces.starts and returncode != 0
    return "" if refused else f"{found.reason}: {found.evidence}"


def test_a_submit_killed_at_any_write_is_whole_or_was_never_there(
    tmp_path: Path, board: Board
) -> None:
    strike_everywhere(
        board, "SIGKILL at a write of submit", lambda point: submit(tmp_path, KILL, point)
    )


def test_a_submit_refused_at_any_write_says_so_and_starts_nothing(
    tmp_path: Path, board: Board, kills: int
) -> None:
    for name, fault_at in errors(thorough=kills > SAMPLE):
        folder = tmp_path / name
        strike_everywhere(
            board,
            f"{name} at a write of submit",
            lambda point, at=fault_at, there=folder: submit(there, at(point), point),
            stride=1 if kills > SAMPLE else 3,
        )


def errors(*, thorough: bool) -> list[tuple[str, Callable[[Point], str]]]:
    """A full disk and a failing one: by turns in a sample, each at every point otherwise."""
    if thorough:
        return [("ENOSPC", lambda _: FULL), ("EIO", lambda _: BROKEN)]
    return [("ENOSPC or EIO", lambda point: BROKEN if point.number % 2 else FULL)]


def supervise(folder: Path, fault: str, point: Point) -> Tried:
    """Waiter and agent as one process, since the waiter becomes the agent where there is none."""
    with Yard(folder / f"{point.call}-{point.number}") as yard:
        kit = kit_zip.installed(yard.home)
        run = prepare(yard.home, NAME, yard.trainer(NAME, lines=LINES, seconds=0.05, code=CODE))
        trace = yard.folder / "trace"
        command = spawn.waiter_command(PYTHON, kit, run, 1)
        environ = {"PATH": yard.environ["PATH"], process.SUPERVISOR_MARK: run.path}
        with started(under(command, fault, point, trace), yard.folder, environ):
            found = yard.settled(NAME)
        traces = Traces(yard, NAME)
        return Tried(struck(trace), _badly_supervised(yard, traces, found, killed=fault == KILL))


def _badly_supervised(yard: Yard, traces: Traces, found: Record, *, killed: bool) -> str:
    if traces.doubled:
        return "a trainer ran twice"
    if yard.secrets():
        return "the trainer's environment is left"
    if traces.starts and traces.log(1) != whole_log(LINES):
        return "the log is not whole"
    right = {Reason.FAILED} if traces.starts else {Reason.SETUP_FAILED}
    right |= {Reason.UNKNOWN_EXIT} if killed and traces.starts else set()
    last = found.last
    if last is None or found.reason not in right:
        return f"{found.reason}: {found.evidence}, {len(traces.starts)} starts"
    return "" if found.reason is not Reason.FAILED or last.code == CODE else "the exit code"


def test_a_supervisor_killed_at_any_write_loses_no_run(tmp_path: Path, board: Board) -> None:
    strike_everywhere(
        board, "SIGKILL at a write of the supervisor", lambda p: supervise(tmp_path, KILL, p)
    )


def test_a_supervisor_refused_at_any_write_loses_no_run(
    tmp_path: Path, board: Board, kills: int
) -> None:
    for name, fault_at in errors(thorough=kills > SAMPLE):
        folder = tmp_path / name
        strike_everywhere(
            board,
            f"{name} at a write of the supervisor",
            lambda point, at=fault_at, there=folder: supervise(there, at(point), point),
        )


APPEND = """
import sys
from trainctl.kit import events
events.append(sys.argv[1], "second", {"text": "x" * 50})
print("done")
"""


def append(folder: Path, fault: str, point: Point) -> Tried:
    """An event beside one that is there, and a torn one; then the next event."""
    log = folder / f"{point.call}-{point.number}.jsonl"
    events.append(str(log), "first")
    with log.open("ab") as file:
        file.write(b'{"crc":"00000000","torn')
    trace = log.with_suffix(".trace")
    source = str(Path(events.__file__).parents[2])
    done = subprocess.run(
        under([PYTHON, "-S", "-c", APPEND, str(log)], fault, point, trace),
        env={"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    events.append(str(log), "third")
    seen = events.read(str(log))
    names = [entry["event"] for entry in seen.records]
    acknowledged = b"done" in done.stdout
    right = ["first", "second", "third"] if acknowledged else ["first", "third"]
    kept_anyway = names == ["first", "second", "third"]
    bad = "" if names == right or kept_anyway else f"{names} {seen.corrupt}"
    return Tried(struck(trace), bad)


@pytest.mark.parametrize("fault", [KILL, FULL, BROKEN])
def test_an_event_struck_at_any_write_is_whole_or_was_never_there(
    fault: str, tmp_path: Path, board: Board
) -> None:
    strike_everywhere(
        board, f"{fault} at a write of an event", lambda point: append(tmp_path, fault, point)
    )
