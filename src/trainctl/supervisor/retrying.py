"""Start the next attempt of a run by itself, or say why it will not come."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable, Dict, Optional

from trainctl.kit import aside, candidates, events, launch, locks, people, spawn
from trainctl.kit.choosing import Checker, Choice, OverdueError
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import closing, guarding, stopping
from trainctl.supervisor.keeping import Keeper

CLAIM_SECONDS = 20.0
PATIENCE_SECONDS = 600.0  # for a disk to have room again, for what cannot be killed to end
HASHING_SECONDS = 600.0  # for finding a checkpoint that holds; then sizes and times must do
_TICK_SECONDS = 0.2
_STOP_BYTES = 64 << 20  # how much is hashed between two looks for a request to stop


def start(
    run: RunFolder,
    job: Dict[str, Any],
    attempt: AttemptFolder,
    pause_seconds: float,
    keeper: Keeper,
) -> Optional[int]:
    """The next attempt's number once it is claimed; None where it is called off.

    Only under the run's lock, and only when no process of the run is left; the waiter's mkdir
    decides where two try all the same. Its checkpoint is hashed before, without the lock.
    """
    due = time.monotonic() + pause_seconds
    choice: Optional[Choice] = None
    trouble = ""
    while os.path.isdir(run.path):
        if stopping.asked_to_stop(run, attempt) is not None:
            closing.cancel_retry(run, attempt, "a request to stop", keeper)
            return None
        if time.monotonic() > due + PATIENCE_SECONDS:
            closing.cancel_retry(run, attempt, trouble, keeper)
            return None
        if time.monotonic() >= due:
            try:
                choice = choice or _choose(run, job, attempt)
                trouble = _try(run, job, attempt, choice) if choice else "a request to stop"
            except Exception as error:  # noqa: BLE001  # the next try would meet it again
                guarding.tell(error)
                fault = f"a fault of trainctl's own ({type(error).__name__}: {error})"
                closing.cancel_retry(run, attempt, fault, keeper)
                return None
            if not trouble:
                return attempt.number + 1
        time.sleep(_TICK_SECONDS)
    return None


def _choose(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> Optional[Choice]:
    """What the next attempt goes on from; None where a stop was asked for meanwhile."""
    pace = _impatience(lambda: stopping.asked_to_stop(run, attempt) is not None)
    checker = Checker(candidates.home_of(run).manifests, pace=pace)
    choice = launch.choose(run, job, attempt.number + 1, checker)
    return None if stopping.asked_to_stop(run, attempt) is not None else choice


def _impatience(stopped: Callable[[], bool]) -> Callable[[int], None]:
    """A pace that gives up hashing once it has taken too long, or nobody wants it any more."""
    until = time.monotonic() + HASHING_SECONDS
    unheard = 0

    def pace(count: int) -> None:
        nonlocal unheard
        unheard += count
        if time.monotonic() > until:
            raise OverdueError
        if unheard >= _STOP_BYTES:
            unheard = 0
            if stopped():
                raise OverdueError

    return pace


def _try(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, choice: Choice) -> str:
    """Empty once the next attempt is claimed; else what stands in its way at the moment."""
    try:
        with locks.Lock(run.lock) as lock:
            if not lock.take():
                return "another trainctl is changing the run"
            if attempt.number + 1 in run.attempts():
                return ""
            left = people.living(run)
            if left:
                return f"processes of it are still alive: {', '.join(map(str, left))}"
            return _launch(run, job, attempt, choice)
    except OSError as error:
        return f"{error.filename or run.path}: {error.strerror}"


def _launch(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, choice: Choice) -> str:
    way = aside.make(run, job["resume"], choice)
    if choice.passed or way.told:
        passed = [one.to_json() for one in choice.passed]
        fields = {"for": attempt.number + 1, "from": way.path, "passed": passed, "told": way.told}
        events.append(attempt.events, "passed_over", fields)
        for line in (*(f"{one.path} {one.why}: passed over" for one in choice.passed), *way.told):
            print(line, flush=True)
    plan = launch.render_retry(run, job, attempt.number + 1, way.path)
    plan.write(run, attempt.number + 1)
    command = spawn.waiter_command(sys.executable, spawn.this_kit(), run, attempt.number + 1)
    spawn.start(command, run)
    give_up = time.monotonic() + CLAIM_SECONDS
    while not os.path.exists(run.attempt(attempt.number + 1).pid):
        if time.monotonic() > give_up:
            return f"its supervisor did not start: see {run.agent_log}"
        time.sleep(0.02)
    return ""
