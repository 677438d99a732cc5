"""Stop an attempt: SIGTERM to its group, the grace, then SIGKILL to all it has started."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Dict, Optional

from trainctl.kit import events, files, launch, process, requests
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import descendants

LEFTOVER_SECONDS = 30.0


def asked_to_stop(run: RunFolder, attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    return requests.stop_request(run, attempt.number)


class Stopper:
    """Looks at every tick whether the attempt must end, and how far its end has come."""

    def __init__(self, run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> None:
        self._run = run
        self._attempt = attempt
        self._grace = float(job["grace_seconds"])
        self._deadline = deadline(run, job, attempt)
        self._told = any(
            record["event"] == "stopping" for record in events.read(attempt.events).records
        )
        self._leftovers_since = 0.0

    def tick(self, trainer: Optional[process.Identity]) -> None:
        order = self._order()
        if order is None or trainer is None:
            return
        if not self._told:
            events.append(self._attempt.events, "stopping", order)
            if process.is_alive(trainer):
                process.send_group(trainer.pid, signal.SIGTERM)
            self._told = True
        if time.time() >= float(order["at"]) + float(order["grace_seconds"]):
            self._kill(trainer)

    def _order(self) -> Optional[Dict[str, Any]]:
        """What says that this attempt must end: a person, a successor, or its time."""
        asked = asked_to_stop(self._run, self._attempt)
        if asked is not None:
            return {**asked, "reason": "stopped"}
        now = time.time()
        if os.path.isdir(self._run.attempt(self._attempt.number + 1).path):
            return self._own("superseded", "a newer attempt exists", now)
        if self._deadline is not None and now >= self._deadline:
            return self._own("deadline", "its time limit has passed", self._deadline)
        return None

    def _own(self, reason: str, by: str, at: float) -> Dict[str, Any]:
        return {"reason": reason, "by": by, "at": at, "grace_seconds": self._grace}

    def _kill(self, trainer: process.Identity) -> None:
        process.signal_if_alive(trainer, signal.SIGKILL)
        for pid in descendants.tree(trainer.pid):
            process.send(pid, signal.SIGKILL)
        process.end_marked(self._run.path)

    def end_leftovers(self, left: list[int]) -> bool:
        """After the trainer's end, with no waiter to do it: True when nothing is left."""
        if not left:
            return True
        if not self._leftovers_since:
            self._leftovers_since = time.monotonic()
        waited = time.monotonic() - self._leftovers_since
        number = signal.SIGTERM if waited < descendants.POLITE_SECONDS else signal.SIGKILL
        process.end_marked(self._run.path, number)
        return waited > LEFTOVER_SECONDS


def deadline(run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> Optional[float]:
    """When the run's time is over, in seconds since the epoch; counted from the last start by hand."""
    limit = job.get("max_seconds")
    if limit is None:
        return None
    number = attempt.number
    while number > 1:
        plan = launch.read(run, number)
        if plan is None or not plan.automatic:
            break
        number -= 1
    record = files.read_json(run.attempt(number).pid) or {}
    return float(record.get("started", time.time())) + float(limit)
