"""How far a long reading is, on a terminal's stderr; elsewhere it says nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Self

from trainctl.cli import output

_SECONDS = 0.2  # between two drawings; what is over before the first needs none


class Meter:
    """Counts from any thread. what: told before it; total: of how many, 0 if unknown.

    told: how a count is written; bytes, unless something else is counted.
    """

    def __init__(self, what: str, total: int, told: Callable[[float], str] = output.size) -> None:
        self._what = what
        self._told = told
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._began = self._drawn = time.monotonic()
        self._is_shown = False
        self._is_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away, before something else is said."""
        if self._is_shown:
            self._is_shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if not self._is_terminal or now - self._drawn < _SECONDS:
                return
            self._drawn = now
            self._draw(now - self._began)

    def _draw(self, seconds: float) -> None:
        self._is_shown = True
        rate = self._done / max(seconds, 1e-9)
        text = f"{self._what}: {self._told(self._done)}"
        if self._total:
            left = max(0, self._total - self._done) / max(rate, 1)
            share = min(100, 100 * self._done // self._total)
            text += f" of {self._told(self._total)}, {share} %, {output.duration(left)} left"
        sys.stderr.write(f"\r\x1b[K{text}, {self._told(rate)}/s")
        sys.stderr.flush()
