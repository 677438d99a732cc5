"""Start the next attempt of a run by itself, or say why it will not come."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Dict, Optional

from trainctl.kit import launch, locks, people, spawn
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import closing, stopping

CLAIM_SECONDS = 20.0
PATIENCE_SECONDS = 600.0  # for a disk to have room again, for what cannot be killed to end
_TICK_SECONDS = 0.2


def start(
    run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder, pause_seconds: float
) -> Optional[int]:
    """The next attempt's number once it is claimed; None where it is called off.

    Only under the run's lock, and only when no process of the run is left; the waiter's mkdir
    decides where two try all the same.
    """
    due = time.monotonic() + pause_seconds
    trouble = ""
    while os.path.isdir(run.path):
        if stopping.asked_to_stop(run, attempt) is not None:
            closing.cancel_retry(run, attempt, "a request to stop")
            return None
        if time.monotonic() > due + PATIENCE_SECONDS:
            closing.cancel_retry(run, attempt, trouble)
            return None
        if time.monotonic() >= due:
            trouble = _try(run, job, attempt)
            if not trouble:
                return attempt.number + 1
        time.sleep(_TICK_SECONDS)
    return None


def _try(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> str:
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
            return _launch(run, job, attempt)
    except OSError as error:
        return f"{error.filename or run.path}: {error.strerror}"


def _launch(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> str:
    plan = launch.render_retry(run, job, attempt.number + 1)
    plan.write(run, attempt.number + 1)
    command = spawn.waiter_command(sys.executable, spawn.this_kit(), run, attempt.number + 1)
    spawn.start(command, run)
    give_up = time.monotonic() + CLAIM_SECONDS
    while not os.path.exists(run.attempt(attempt.number + 1).pid):
        if time.monotonic() > give_up:
            return f"its supervisor did not start: see {run.agent_log}"
        time.sleep(0.02)
    return ""
