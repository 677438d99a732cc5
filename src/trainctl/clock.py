"""Now and sleep, as an object: code takes a Clock, a test brings one that it turns by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch: for records and for people, never for ordering."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow: for patience and deadlines within one process."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
