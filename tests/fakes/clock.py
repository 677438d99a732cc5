"""A clock that a test turns by hand."""

from __future__ import annotations

NOON = 1_790_000_000.0


class HandClock:
    """Time passes only by `advance` and `sleep`; `slept` tells how long each sleep was."""

    def __init__(self, now: float = NOON) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += seconds
