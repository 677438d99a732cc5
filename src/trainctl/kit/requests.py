"""What controllers ask of a running attempt: files in `requests/`, obeyed by whoever is alive."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Optional

from trainctl.kit import files, launch
from trainctl.kit.names import RunFolder


def ask_to_stop(run: RunFolder, attempt: int, grace_seconds: float, by: str) -> None:
    """Leave a request that outlives its author: SIGTERM, the grace, SIGKILL."""
    os.makedirs(run.requests, mode=0o700, exist_ok=True)
    request = {"attempt": attempt, "grace_seconds": grace_seconds, "by": by, "at": time.time()}
    name = f"stop-{attempt}-{time.time_ns()}.json"
    files.write_json(os.path.join(run.requests, name), request)


def stop_request(run: RunFolder, attempt: int) -> Optional[Dict[str, Any]]:
    """The stop asked of this attempt, with the shortest grace of all that asked; or None.

    Asked of an attempt, it holds for those that follow it by themselves: a retry may begin
    between the look at the run and the request.
    """
    numbers = range(launch.last_by_hand(run, attempt), attempt + 1)
    found = [request for number in numbers for request in _read(run, f"stop-{number}-")]
    asked = [request for request in found if "grace_seconds" in request]
    return min(asked, key=lambda request: float(request["grace_seconds"]), default=None)


def _read(run: RunFolder, prefix: str) -> list[Dict[str, Any]]:
    try:
        names = sorted(os.listdir(run.requests))
    except FileNotFoundError:
        return []
    found = (files.read_json(os.path.join(run.requests, n)) for n in names if n.startswith(prefix))
    return [request for request in found if request is not None]
