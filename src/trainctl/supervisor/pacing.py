"""How much of the machine the agent's own work may take while a trainer lives."""

from __future__ import annotations

import os
import threading
import time

_SHARE = 0.1  # of the machine's processors, never above half of one
_LEAST, _MOST = 0.1, 0.5
_NICE = 19


class StoppedError(Exception):
    """The work is not wanted any more, or its time is over."""


class Pacer:
    """Told of bytes as they are read or sent; sleeps so that all of us stay under our share.

    All threads of the process count together, so that two of them take no more than one.
    """

    def __init__(self) -> None:
        self._share = min(_MOST, max(_LEAST, _SHARE * (os.cpu_count() or 1)))
        self._lock = threading.Lock()
        self._hurried = threading.Event()
        self._stopped = False
        self._seen = (time.monotonic(), time.process_time())

    def __call__(self, count: int) -> None:
        """Raises StoppedError once that was asked."""
        del count  # what it costs counts, not how much it is
        if not self._hurried.is_set():
            with self._lock:
                self._hurried.wait(self._owed())
                self._seen = (time.monotonic(), time.process_time())
        if self._stopped:
            raise StoppedError

    def _owed(self) -> float:
        """Seconds of rest for the CPU taken since the last one."""
        wall, used = time.monotonic() - self._seen[0], time.process_time() - self._seen[1]
        return max(0.0, used / self._share - wall)

    def hurry(self) -> None:
        """The trainer has ended: nobody is disturbed any more."""
        self._hurried.set()

    def be_gentle(self) -> None:
        self._hurried.clear()

    def stop(self) -> None:
        self._stopped = True
        self._hurried.set()


def step_back() -> None:
    """Let everybody else's threads run before this one, where the system can do that."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    except (OSError, AttributeError):
        pass
