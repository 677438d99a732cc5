"""SIGKILL of each of trainctl's own processes, at random moments: the run does not notice."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.torture.board import Board
from tests.torture.yard import Traces, Yard, started, wait_for, whole_log
from trainctl.kit import process
from trainctl.records import record
from trainctl.records.record import Record
from trainctl.records.state import Reason

LINES = 20
AT_ONCE = 6
CODE = 7
pytestmark = pytest.mark.timeout(1800)


class Outcome(NamedTuple):
    struck: bool
    lost: str  # what was lost, in words; empty where nothing was
    doubled: bool


def kill_each(yard: Yard, board: Board, kills: int, target: str) -> None:
    """Runs until so many kills have struck, several at a time."""
    seed = int.from_bytes(os.urandom(4), "big")
    randomness = random.Random(seed)
    one = {"cli": kill_the_command, "agent": kill_the_agent, "waiter": kill_the_waiter}[target]
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while (missing := kills - sum(outcome.struck for outcome in outcomes)) > 0:
            names = [f"{target}-{len(outcomes) + n}" for n in range(missing)]
            moments = [randomness.random() for _ in names]
            outcomes += pool.map(one, [yard] * missing, names, moments)
    for outcome in outcomes:
        if outcome.lost or outcome.doubled:
            print(f"seed {seed}: {outcome}")
    board.note(
        f"SIGKILL of the {target}",
        injected=kills,
        lost=sum(bool(outcome.lost) for outcome in outcomes),
        doubled=sum(outcome.doubled for outcome in outcomes),
    )


def kill_the_command(yard: Yard, name: str, moment: float) -> Outcome:
    """Anywhere from its first instruction to the end of a run in its foreground."""
    words = yard.cli("run", "--name", name, *yard.trainer(name, lines=LINES, code=CODE))
    with started(words, yard.folder, yard.environ) as command:
        time.sleep(moment * 1.2)
        struck = command.poll() is None
        command.kill()
        _, said = command.communicate()
    acknowledged = f"trainctl: {name} ".encode() in said
    found = record.read(yard.run(name))
    if not acknowledged and not record.exists(yard.run(name)):
        return Outcome(struck, "began unrecorded" if Traces(yard, name).starts else "", False)
    found = yard.settled(name)
    never_began = found.reason is Reason.SETUP_FAILED and not Traces(yard, name).starts
    if not acknowledged and never_began:
        return Outcome(struck, "", False)
    return Outcome(struck, lost(yard, name, found), Traces(yard, name).doubled)


def kill_the_agent(yard: Yard, name: str, moment: float) -> Outcome:
    yard.call("run", "-d", "--name", name, *yard.trainer(name, lines=LINES, code=CODE))
    time.sleep(moment * 0.5)
    struck = strike(yard, name, "watch")
    return Outcome(struck, lost(yard, name, yard.settled(name)), Traces(yard, name).doubled)


def kill_the_waiter(yard: Yard, name: str, moment: float) -> Outcome:
    """The second half of the runs would go on by themselves: never beside the first trainer."""
    retries = str(int(moment > 0.5))
    words = ["run", "-d", "--name", name, "--retries", retries]
    trainer = yard.trainer(name, lines=LINES, code=CODE)
    with started(yard.cli(*words, *trainer), yard.folder, yard.environ) as command:
        wait_for(lambda: yard.supervisors(name, "wait") or command.poll() is not None)
        time.sleep((moment * 2 % 1) * 0.6)
        struck = strike(yard, name, "wait")
        command.wait(30)
    found = yard.settled(name)
    traces = Traces(yard, name)
    return Outcome(struck, lost_with_its_waiter(yard, name, found), traces.doubled)


def strike(yard: Yard, name: str, verb: str) -> bool:
    """Whether a supervisor was there and is killed."""
    struck = [process.send(pid, signal.SIGKILL) for pid in yard.supervisors(name, verb)]
    return any(struck)


def lost(yard: Yard, name: str, found: Record) -> str:
    """What of a run that must have come to its own end is missing."""
    last = found.last
    if last is None:
        return "the run"
    if (last.reason, last.code) != (Reason.FAILED, CODE):
        return f"the exit status: {last.reason} {last.code} {last.evidence}"
    return "" if Traces(yard, name).log(1) == whole_log(LINES) else "bytes of the log"


def lost_with_its_waiter(yard: Yard, name: str, found: Record) -> str:
    """Its exit status may be unknown now, and nothing else."""
    traces = Traces(yard, name)
    for attempt in found.attempts:
        began = attempt.number in traces.starts
        right = {Reason.FAILED, Reason.UNKNOWN_EXIT} if began else {Reason.SETUP_FAILED}
        if attempt.reason not in right:
            return f"the reason: {attempt.reason} {attempt.evidence}, began: {began}"
        if began and traces.log(attempt.number) != whole_log(LINES):
            return "bytes of the log"
    return "" if found.attempts else "the run"


@pytest.mark.parametrize("target", ["cli", "agent", "waiter"])
def test_a_killed_process_of_ours_costs_no_run(
    target: str, yard: Yard, board: Board, kills: int
) -> None:
    kill_each(yard, board, kills, target)
    assert wait_for(lambda: not yard.processes())
    assert yard.secrets() == []
