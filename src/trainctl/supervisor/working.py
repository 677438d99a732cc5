"""A thread of the agent that works in steps, so that the agent itself never waits."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Callable, Optional

from trainctl.supervisor import pacing

Step = Callable[[], Optional[float]]  # one piece of work; the seconds until the next, None: idle
_AGAIN_SECONDS = 30.0  # after what should never happen


class Worker:
    """Does one step after another; idle, it waits to be woken. A daemon: it keeps nobody alive."""

    def __init__(self, step: Step, prepare: Callable[[], None] = lambda: None) -> None:
        """prepare: done once, before the thread steps back behind all others."""
        self._step = step
        self._prepare = prepare
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._stopped = False
        self._thread: Optional[threading.Thread] = None
        self.is_idle = True

    def wake(self) -> None:
        """There may be work."""
        with self._lock:
            if self._stopped:
                return
            self.is_idle = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        self._woken.set()

    def stop(self, patience_seconds: float) -> None:
        """Wait so long for the step that is being done; no other is begun."""
        with self._lock:
            self._stopped = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(patience_seconds)

    def _run(self) -> None:
        self._prepare()
        pacing.step_back()
        while not self._stopped:
            self._woken.clear()
            pause = self._guarded()
            with self._lock:
                self.is_idle = pause is None and not self._woken.is_set()
            self._woken.wait(pause)

    def _guarded(self) -> Optional[float]:
        """A fault of ours must not end the thread: what it keeps is somebody's work."""
        try:
            return self._step()
        except pacing.StoppedError:
            return None
        except Exception:  # noqa: BLE001
            traceback.print_exc(file=sys.stderr)  # agent.log
            return _AGAIN_SECONDS
