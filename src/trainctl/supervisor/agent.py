"""The agent: watches a run's attempts, obeys requests, judges how each ended, and goes on.

It may die at any time and be started again by anybody: all it knows stands in the run folder.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import Any, Dict, Optional

from trainctl.kit import events, files, launch, locks, process, spawn
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import closing, stopping
from trainctl.supervisor.observing import Observer

TICK_SECONDS = 0.2
CLAIM_SECONDS = 20.0


def main(run_path: str) -> int:
    run = RunFolder(run_path)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with locks.Lock(run.agent_lock) as lock:
        if not lock.take():
            return 0
        lock.sign({"pid": os.getpid()})
        job = files.read_json(run.job)
        if job is None:
            sys.stderr.write(f"{run.job} cannot be read: nothing is watched\n")
            return 1
        number = _newest_attempt(run)
        while number is not None:
            number = _follow(run, job, number)
    return 0


def _newest_attempt(run: RunFolder) -> Optional[int]:
    give_up = time.monotonic() + CLAIM_SECONDS
    while time.monotonic() < give_up:
        attempts = run.attempts()
        if attempts:
            return attempts[-1]
        time.sleep(0.02)
    return None


def _follow(run: RunFolder, job: Dict[str, Any], number: int) -> Optional[int]:
    """Watch one attempt to its end; returns the number of the next, which it has started."""
    attempt = run.attempt(number)
    end = closing.closed(attempt)
    if end is None:
        _watch(run, job, attempt)
        end = closing.close(run, job, attempt)
    if end is None or not end.get("next"):
        return None
    following = int(end["next"])
    _pause(run, attempt, float(end["at"]) + float(end.get("delay_seconds", 0)))
    return following if _start(run, job, attempt, following) else None


def _watch(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> None:
    """Until the attempt's trainer and all it started are gone, and how it ended is written."""
    observer = Observer(job, attempt)
    stopper = stopping.Stopper(run, job, attempt)
    while os.path.isdir(attempt.path):
        waiter, trainer = people(attempt)
        ended = files.read_json(attempt.exit)
        stopper.tick(trainer)
        if not _is_another(waiter):
            ended = files.read_json(attempt.exit)
            left = process.marked(run.path)
            if ended is None and not left and not process.is_alive(trainer):
                closing.write_missing_exit(attempt, waiter, trainer)
                return
            if ended is not None and stopper.end_leftovers(left):
                return
        if ended is None and trainer is not None:
            observer.tick(trainer, waiter)
        _sleep(waiter)


def people(
    attempt: AttemptFolder,
) -> tuple[Optional[process.Identity], Optional[process.Identity]]:
    """Who waits and who trains, as the waiter noted it."""
    record = files.read_json(attempt.pid) or {}
    return process.identity_of(record.get("waiter")), process.identity_of(record.get("trainer"))


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


def _pause(run: RunFolder, attempt: AttemptFolder, until: float) -> None:
    """Wait before a retry, but not past a request to stop."""
    while time.time() < until and stopping.asked_to_stop(run, attempt) is None:
        time.sleep(min(TICK_SECONDS, max(0.0, until - time.time())))


def _start(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, following: int) -> bool:
    """Start the next attempt; False where a person stopped it, or somebody else has started it.

    Only the newest attempt's agent starts the next one, under the run's lock, and only when no
    process of the run is left; the waiter's mkdir decides where two try all the same.
    """
    if stopping.asked_to_stop(run, attempt) is not None:
        events.append(attempt.events, "retry_cancelled", {"by": "a request to stop"})
        files.remove(run.secrets)
        return False
    with locks.Lock(run.lock) as lock:
        if not lock.take(patience=30) or process.marked(run.path):
            return False
        if following not in run.attempts():
            newest = launch.newest_checkpoint(run, job)
            may = job["resume"]["mode"] != "never"
            checkpoint = newest.path if newest is not None and may else None
            before = launch.read(run, attempt.number)
            plan = launch.render(
                run,
                job,
                following,
                checkpoint=checkpoint,
                automatic=True,
                device=before.variables["TRAINCTL_DEVICE"] if before else "cpu",
                extra=before.extra if before else (),
            )
            plan.write(run, following)
            command = spawn.waiter_command(sys.executable, spawn.this_kit(), run, following)
            spawn.start(command, run)
            return _claimed(run, following)
    return True


def _claimed(run: RunFolder, number: int) -> bool:
    give_up = time.monotonic() + CLAIM_SECONDS
    while time.monotonic() < give_up:
        if number in run.attempts():
            return True
        time.sleep(0.02)
    return False
