"""The same for many things in a few threads: the first error stops the rest and is raised."""

from __future__ import annotations

import threading
from typing import Callable, Iterable, List, Optional, TypeVar

from trainctl.kit.stores.protocol import Progress

T = TypeVar("T")


class StoppedError(Exception):
    """Another thread has failed, so this one need not go on; never leaves `together`."""


class Shared:
    """A progress that several threads report to, one at a time.

    Whatever it raises, and whatever `stop` is called for, ends the others at their next report.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, count: int) -> None:
        with self._lock:
            if self._stopped:
                raise StoppedError
            self._progress(count)

    def stop(self) -> None:
        self._stopped = True


def together(
    things: Iterable[T], work: Callable[[T], object], threads: int, shared: Optional[Shared] = None
) -> None:
    """Call `work` for each thing; with one thread, or one thing, in the caller's own.

    Returns, or raises the first error, once no thread runs any more.
    """
    left = list(things)
    if min(threads, len(left)) <= 1:
        for thing in left:
            work(thing)
        return
    _Crew(left, work, shared).run(min(threads, len(left)))


class _Crew:
    def __init__(
        self, things: List[T], work: Callable[[T], object], shared: Optional[Shared]
    ) -> None:
        self._things = iter(things)
        self._work = work
        self._shared = shared
        self._lock = threading.Lock()
        self._error: Optional[BaseException] = None

    def run(self, threads: int) -> None:
        crew = [threading.Thread(target=self._serve, daemon=True) for _ in range(threads)]
        for thread in crew:
            thread.start()
        try:
            for thread in crew:
                thread.join()
        except BaseException as error:  # Ctrl-C arrives here, in the main thread
            self._fail(error)
            for thread in crew:
                thread.join()
            raise
        try:
            if self._error is not None:
                raise self._error
        finally:
            self._error = None  # its traceback leads here: a circle would keep connections open

    def _serve(self) -> None:
        try:
            for thing in iter(self._next, self):
                self._work(thing)  # type: ignore[arg-type]
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001  # raised where the threads are waited for
            self._fail(error)

    def _next(self) -> object:
        """The next thing; the crew itself where there is none."""
        with self._lock:
            return next(self._things, self) if self._error is None else self

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        if self._shared is not None:
            self._shared.stop()
