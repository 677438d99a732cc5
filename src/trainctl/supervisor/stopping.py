"""Stop an attempt: SIGTERM to its group, the grace, then SIGKILL to all it has started."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Dict, Optional, Set, Tuple

from trainctl.kit import events, files, launch, process, requests
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.supervisor import descendants

LEFTOVER_SECONDS = 30.0


def asked_to_stop(run: RunFolder, attempt: AttemptFolder) -> Optional[Dict[str, Any]]:
    return requests.stop_request(run, attempt.number)


class Stopper:
    """Looks at every tick whether the attempt must end, and how far its end has come.

    Times that have passed are taken from the wall clock once, bounded by what they may be, and
    then measured by one that never jumps: a laptop that wakes kills nothing too early.
    """

    def __init__(self, run: RunFolder, job: Dict[str, Any], attempt: AttemptFolder) -> None:
        self._run = run
        self._attempt = attempt
        self._grace = float(job["grace_seconds"])
        self._limit: Optional[float] = job.get("max_seconds")
        self._deadline: Optional[float] = None
        self._kill_at: Dict[float, float] = {}  # by the grace that was given
        self._told = any(
            record["event"] == "stopping" for record in events.read(attempt.events).records
        )
        self._leftovers_since: Optional[float] = None
        self._leftovers_told: Set[Tuple[int, int]] = set()

    def tick(self, trainer: Optional[process.Identity]) -> None:
        if trainer is None or not process.is_alive(trainer):
            return
        order = self._order()
        if order is None:
            return
        if not self._told:
            self._tell(trainer, order)
        grace = float(order["grace_seconds"])
        left = remaining(grace, float(order["at"]))
        if time.monotonic() >= self._kill_at.setdefault(grace, time.monotonic() + left):
            self._kill(trainer)

    def _tell(self, trainer: process.Identity, order: Dict[str, Any]) -> None:
        """Twice rather than never, where we are killed in between: it may save only when told."""
        if not process.send_group(trainer.pid, signal.SIGTERM):
            process.signal_if_alive(trainer, signal.SIGTERM)
        process.send_group(trainer.pid, signal.SIGCONT)  # a stopped process hears nothing
        self._told = True
        try:
            events.append(self._attempt.events, "stopping", order)
        except OSError:  # a full disk keeps nobody from stopping
            pass

    def _order(self) -> Optional[Dict[str, Any]]:
        """What says that this attempt must end: a person, a successor, or its time."""
        asked = asked_to_stop(self._run, self._attempt)
        if asked is not None:
            return {**asked, "reason": "stopped"}
        if os.path.isdir(self._run.attempt(self._attempt.number + 1).path):
            return self._own("superseded", "a newer attempt exists")
        if self._limit is not None and self._time_is_over(self._limit):
            return self._own("deadline", "its time limit has passed")
        return None

    def _own(self, reason: str, by: str) -> Dict[str, Any]:
        return {"reason": reason, "by": by, "at": time.time(), "grace_seconds": self._grace}

    def _time_is_over(self, limit: float) -> bool:
        """Counted from the last start by hand: a retry gets what was left."""
        if self._deadline is None:
            first = self._run.attempt(launch.last_by_hand(self._run, self._attempt.number))
            started = float((files.read_json(first.pid) or {}).get("started", time.time()))
            self._deadline = time.monotonic() + remaining(limit, started)
        return time.monotonic() >= self._deadline

    def _kill(self, trainer: process.Identity) -> None:
        """All but what belongs to another run that the trainer itself has started."""
        below = descendants.tree(trainer.pid, descendants.is_foreign(self._run.path))
        process.signal_if_alive(trainer, signal.SIGKILL)
        for pid in below:
            process.send(pid, signal.SIGKILL)
        process.end_marked(self._run.path, self._attempt.number)

    def end_leftovers(self, left: list[int]) -> bool:
        """After the trainer's end, with no waiter to do it: True when nothing is left."""
        if not left:
            return True
        if self._leftovers_since is None:
            self._leftovers_since = time.monotonic()
        waited = time.monotonic() - self._leftovers_since
        number = signal.SIGTERM if waited < descendants.POLITE_SECONDS else signal.SIGKILL
        told = {(pid, number) for pid in left}
        for pid, _ in told - self._leftovers_told:
            process.send(pid, number)
        self._leftovers_told |= told
        return waited > LEFTOVER_SECONDS


def remaining(seconds: float, since: float) -> float:
    """What is left of a span that began then by the wall clock, whatever that did in between."""
    return seconds - min(max(time.time() - since, 0.0), seconds)
