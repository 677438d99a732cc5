"""One function called in a thread of its own: hashing beside writing, on two cores."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Callable, Optional


class Aside:
    """Its thread begins with the first call and ends with `close`."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self._function = function
        self._given: SimpleQueue[Any] = SimpleQueue()
        self._done: SimpleQueue[Optional[BaseException]] = SimpleQueue()
        self._thread: Optional[threading.Thread] = None

    def begin(self, argument: object) -> None:
        """Call it with this; `wait` before the next."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()
        self._given.put((argument,))

    def wait(self) -> None:
        """Until that call is over. Raises what it raised."""
        error = self._done.get()
        if error is not None:
            raise error

    def close(self) -> None:
        if self._thread is not None:
            self._given.put(None)
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        for (argument,) in iter(self._given.get, None):
            try:
                self._function(argument)
            except BaseException as error:  # noqa: BLE001  # the other thread raises it
                self._done.put(error)
            else:
                self._done.put(None)
