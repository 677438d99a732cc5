"""Pieces that several threads fetch at the same time, given out in order, in bounded memory."""

from __future__ import annotations

import mmap
import threading
from typing import Callable, Dict, Iterator, List, Optional

from trainctl.kit.stores.protocol import CorruptError
from trainctl.kit.stores.together import Shared, StoppedError

_PIECE = 8 << 20
_FIRST_THREADS = 2  # near a store more are slower; a wait shows that it is far
_WAIT_SECONDS = 0.03

Fill = Callable[[memoryview, int], int]  # how much of the view it has filled from that place on


def lazily(size: int) -> memoryview:
    """Memory that is taken as bytes arrive: a bytearray is written to all over at once."""
    return memoryview(mmap.mmap(-1, size))


class Window:
    """Iterate over the bytes from `start` to `end`; a piece is good until the next is asked for.

    fill: raises what the iteration shall raise. shared: is stopped where the iteration ends early.
    """

    def __init__(self, fill: Fill, start: int, end: int, threads: int, shared: Shared) -> None:
        self._fill = fill
        self._end = end
        self._starts = list(range(start, end, _PIECE))
        self._most = min(threads, len(self._starts))
        self._shared = shared
        self._free: List[memoryview] = []
        self._crew: List[threading.Thread] = []
        self._buffers: Dict[int, memoryview] = {}
        self._ready: Dict[int, memoryview] = {}
        self._is_over = False
        self._next = 0
        self._error: Optional[BaseException] = None
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[memoryview]:
        self._free.append(lazily(_PIECE))  # so that none waits for the disk
        try:
            for _ in range(min(_FIRST_THREADS, self._most)):
                self._add_thread()
            for at, start in enumerate(self._starts):
                buffer = self._wait_for(at)
                yield buffer[: self._end - start]
                self._give_back(buffer)
        finally:
            self._stop(None)
            for thread in self._crew:
                thread.join()
            self._error = None  # its traceback leads here: a circle would keep connections open

    def _add_thread(self) -> None:
        with self._changed:
            self._free.append(lazily(_PIECE))
            self._changed.notify_all()
        self._crew.append(threading.Thread(target=self._serve, daemon=True))
        self._crew[-1].start()

    def _wait_for(self, at: int) -> memoryview:
        with self._changed:
            while at not in self._ready and self._error is None:
                if not self._changed.wait(_WAIT_SECONDS) and len(self._crew) < self._most:
                    self._add_thread()
            if self._error is not None:
                raise self._error
            return self._ready.pop(at)

    def _give_back(self, buffer: memoryview) -> None:
        with self._changed:
            self._free.append(buffer)
            self._changed.notify_all()

    def _serve(self) -> None:
        try:
            while True:
                at = self._take()
                if at < 0:
                    return
                start, buffer = self._starts[at], self._buffers[at]
                view = buffer[: self._end - start]
                if self._fill(view, start) < len(view):
                    raise CorruptError("it became shorter while it was fetched")
                with self._changed:
                    self._ready[at] = buffer
                    self._changed.notify_all()
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001  # raised where the pieces are waited for
            self._stop(error)

    def _take(self) -> int:
        """The next piece, with a buffer for it; the first that is missing always gets one."""
        with self._changed:
            while not self._free and not self._is_over:
                self._changed.wait()
            if self._is_over or self._next == len(self._starts):
                return -1
            at, self._next = self._next, self._next + 1
            self._buffers[at] = self._free.pop()
            return at

    def _stop(self, error: Optional[BaseException]) -> None:
        with self._changed:
            self._is_over = True
            self._error = self._error or error
            self._changed.notify_all()
        self._shared.stop()
