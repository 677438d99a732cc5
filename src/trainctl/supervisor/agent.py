"""The agent: watches a run's attempts, obeys requests, judges how each ended, and goes on.

It may die at any time and be started again by anybody: all it knows stands in the run folder.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from functools import partial
from typing import Any, Dict, Optional, Tuple

from trainctl.kit import events, files, locks, people, process
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import closing, ending, retrying, stopping
from trainctl.supervisor.guarding import guarded
from trainctl.supervisor.keeping import Keeper
from trainctl.supervisor.observing import Observer

TICK_SECONDS = 0.2
PROBE_SECONDS = 0.5  # somebody who only looks whether the lock is free holds it for a moment
CLAIM_SECONDS = 20.0
ORPHAN_SECONDS = 2.0  # a waiter may be on its way although whoever started it is dead


def main(run_path: str) -> int:
    run = RunFolder(run_path)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    followed: Optional[int] = 0
    # Looked at again once the lock is free: who saw it taken has left the next attempt to us.
    while followed is not None and newest(run) > followed:
        with locks.Lock(run.agent_lock) as lock:
            if not lock.take(patience=PROBE_SECONDS):
                return 0
            _sign(lock)
            job = files.read_json(run.job)
            if job is None:
                sys.stderr.write(f"{run.job} cannot be read: nothing is watched\n")
                return 1
            followed = _follow_all(run, job)
    return 0


def _sign(lock: locks.Lock) -> None:
    try:
        lock.sign({"pid": os.getpid()})
    except OSError:  # a full disk: the note is for messages only
        pass


def newest(run: RunFolder) -> int:
    """The number of the newest attempt, there or asked for."""
    return max([wanted(run)[0], *run.attempts()[-1:]])


def wanted(run: RunFolder) -> Tuple[int, Optional[process.Identity]]:
    """The newest attempt that a person asked for, and the command that was to start it."""
    for record in reversed(events.read(run.events).records):
        if record["event"] == "judged":  # it could not be started, and that is written down
            return int(record["attempt"]) - 1, None
        if record["event"] in {"submitted", "resumed", "attempt_requested"}:
            return int(record.get("attempt", 1)), process.identity_of(record.get("by"))
    return 1, None


def _follow_all(run: RunFolder, job: Dict[str, Any]) -> Optional[int]:
    """Watch attempt after attempt; returns the last one that was watched to its end."""
    number = _claimed(run)
    following = number
    keeper = Keeper(run, job)
    while following is not None:
        number = following
        following = _follow(run, job, number, keeper)
    return number


def _claimed(run: RunFolder) -> Optional[int]:
    """The newest attempt that is asked for, once its waiter has claimed it.

    Where the command that was to start it is dead, we claim it ourselves, so that nobody will.
    None where it lives and has not come to it in all our patience, or the folder is gone.
    """
    began = time.monotonic()
    while os.path.isdir(run.path) and time.monotonic() - began < CLAIM_SECONDS:
        number, asker = wanted(run)
        if run.attempts()[-1:] >= [number]:
            return run.attempts()[-1]
        orphaned = asker is not None and not process.is_alive(asker)
        if orphaned and time.monotonic() - began > ORPHAN_SECONDS:
            return _give_up(run.attempt(number))
        time.sleep(0.02)
    return None


def _give_up(attempt: AttemptFolder) -> int:
    try:
        os.mkdir(attempt.path, 0o700)
    except FileExistsError:  # its waiter came after all
        return attempt.number
    now = time.time()
    how = {"reason": "setup_failed", "evidence": "trainctl was ended before it could start it"}
    ending.write(attempt, {"code": None, "signal": None, **how, "started": now, "ended": now})
    return attempt.number


def _follow(run: RunFolder, job: Dict[str, Any], number: int, keeper: Keeper) -> Optional[int]:
    """Watch one attempt to its end; returns the number of the next, which it has started."""
    attempt = run.attempt(number)
    end = closing.closed(attempt)
    if end is None or end.get("next"):
        guarded(lambda: keeper.follow(attempt), otherwise=None)
    if end is None:
        _watch(run, job, attempt, keeper)
        end = closing.close(run, job, attempt, keeper)
    if end is None or not end.get("next") or closing.is_cancelled(attempt):
        return None
    pause = stopping.remaining(float(end.get("delay_seconds", 0)), float(end["at"]))
    return retrying.start(run, job, attempt, pause, keeper)


def _watch(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, keeper: Keeper) -> None:
    """Until the attempt's trainer and all it started are gone, and how it ended is written."""
    observer = Observer(job, attempt, keeper)
    stopper = stopping.Stopper(run, job, attempt)
    while os.path.isdir(attempt.path):
        waiter, trainer = people.of(attempt)
        supervised = _is_another(waiter) or people.is_supervised(run)
        if trainer is None and (not supervised or os.path.exists(attempt.log)):
            trainer = people.oldest(run, attempt.number)
        stopper.tick(trainer)
        ended = files.read_json(attempt.exit)  # after the look at the waiter, who writes it
        alive = process.is_alive(trainer)
        if ended is None and trainer is not None and alive:
            guarded(partial(observer.tick, trainer, waiter), otherwise=None)
        elif ended is None and not supervised:
            closing.write_missing_exit(attempt, waiter, began=trainer is not None)
        elif not supervised and stopper.end_leftovers(process.marked(run.path, attempt.number)):
            return
        _sleep(waiter)


def _is_another(waiter: Optional[process.Identity]) -> bool:
    """Whether the waiter lives; one that has become this very agent waits no more."""
    return waiter is not None and waiter.pid != os.getpid() and process.is_alive(waiter)


def _sleep(waiter: Optional[process.Identity]) -> None:
    """One tick, or less where the waiter ends in it."""
    open_pidfd = getattr(os, "pidfd_open", None)
    if waiter is None or open_pidfd is None or not _is_another(waiter):
        time.sleep(TICK_SECONDS)
        return
    try:
        descriptor = open_pidfd(waiter.pid)
    except OSError:
        time.sleep(TICK_SECONDS)
        return
    try:
        select.select([descriptor], [], [], TICK_SECONDS)
    finally:
        os.close(descriptor)
