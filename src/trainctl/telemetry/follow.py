"""Raw bytes of logs by byte offset, through truncation, replacement, deletion and late appearance.

What is not noticed: a log that is truncated and written past the old offset between two looks.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from typing import Self

from trainctl.clock import Clock
from trainctl.telemetry.watch import Waiter, Watch

BLOCK = 512 * 1024


class Break(StrEnum):
    """Why the bytes that follow do not continue those before."""

    TRUNCATED = "truncated"  # shorter than what was read: goes on at its start
    REPLACED = "replaced"  # another file under the same name: goes on at its start
    DELETED = "deleted"  # no file under this name: waits for one


def _silently(_: Break) -> None:
    pass


class Log:
    """One log file and how far it has been read. Use it as a context manager."""

    def __init__(
        self, path: str, offset: int = 0, announce: Callable[[Break], None] = _silently
    ) -> None:
        self.path = path
        self.offset = offset
        self._announce = announce
        self._descriptor = -1
        self._deleted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self) -> bytes:
        """The next bytes, at most BLOCK; nothing when there are none at the moment."""
        data = self._take()
        if not data and self._look_again():
            data = self._take()
        return data

    def _take(self) -> bytes:
        if self._descriptor < 0:
            return b""
        try:
            data = os.pread(self._descriptor, BLOCK, self.offset)
        except OSError as error:
            if error.errno != errno.ESTALE:  # NFS: the file is gone
                raise
            self.close()
            self._start_over(Break.REPLACED)
            return b""
        self.offset += len(data)
        return data

    def _look_again(self) -> bool:
        """At the end: find out what the name stands for now; True when reading may bring more.

        The file is opened anew, not stat'ed: NFS asks its server for the size only then.
        """
        try:
            fresh = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if self._descriptor >= 0 and not self._deleted:
                self._deleted = True
                self._announce(Break.DELETED)
            return False
        try:
            same = self._descriptor < 0 or os.path.sameopenfile(self._descriptor, fresh)
            if not same and self._grew():
                return True  # the old file grew before it was replaced: first things first
            if not same:
                self._start_over(Break.REPLACED)
            elif os.fstat(fresh).st_size < self.offset:
                self._start_over(Break.TRUNCATED)
            fresh, self._descriptor = self._descriptor, fresh
            self._deleted = False
        finally:
            if fresh >= 0:
                os.close(fresh)
        return True

    def _grew(self) -> bool:
        return os.fstat(self._descriptor).st_size > self.offset

    def _start_over(self, why: Break) -> None:
        self.offset = 0
        self._announce(why)


def follow(
    path: str,
    offset: int,
    done: Callable[[], bool],
    clock: Clock,
    *,
    also: Sequence[str] = (),
    announce: Callable[[Break], None] = _silently,
    waiter: Waiter | None = None,
) -> Iterator[bytes]:
    """Yield what is in a log and what is added to it, until done() and the end is reached.

    An empty chunk says that nothing came for a moment (at most a quarter of a second), so that a
    caller can do what is due. An offset beyond the end counts as a truncation.
    also: paths whose appearance should end a wait at once, such as the file that done() looks for.
    """
    with ExitStack() as stack:
        log = stack.enter_context(Log(path, offset, announce))
        patience = waiter or stack.enter_context(Watch([path], clock, also))
        while True:
            finished = done()  # asked before reading: what was written until then is still read
            data = log.read()
            if finished and not data:
                return
            yield data
            if len(data) < BLOCK and not finished:
                patience.wait(found=bool(data))


def merge(
    paths: Mapping[str, str],
    offsets: Mapping[str, int],
    done: Callable[[], bool],
    clock: Clock,
    *,
    also: Sequence[str] = (),
    waiter: Waiter | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Follow several logs at once, such as one per rank: (label, chunk), as `follow` yields it.

    paths: label to path. offsets: label to where to begin; none is the start.
    A label comes with an empty chunk when nothing came from any log for a moment.
    """
    with ExitStack() as stack:
        logs = {
            label: stack.enter_context(Log(path, offsets.get(label, 0)))
            for label, path in paths.items()
        }
        patience = waiter or stack.enter_context(Watch(list(paths.values()), clock, also))
        while True:
            finished = done()
            most = 0
            for label, log in logs.items():
                data = log.read()
                most = max(most, len(data))
                yield label, data
            if finished and not most:
                return
            if most < BLOCK and not finished:
                patience.wait(found=bool(most))


def copy_follow(
    path: str,
    offset: int,
    out: int,
    done: Callable[[], bool],
    clock: Clock,
    *,
    also: Sequence[str] = (),
    announce: Callable[[Break], None] = _silently,
) -> int:
    """Copy a log to a descriptor, byte for byte, as `follow` reads it; return the bytes copied.

    Plain read and write: sendfile lends pages of the log to the pipe, and a truncation before
    the reader takes them would change what it reads. Raises BrokenPipeError.
    """
    copied = 0
    for data in follow(path, offset, done, clock, also=also, announce=announce):
        write_all(out, data)
        copied += len(data)
    return copied


def write_all(out: int, data: bytes) -> None:
    """Write everything, also to a descriptor that somebody has made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(out, view) :]
        except BlockingIOError:
            select.select([], [out], [])
