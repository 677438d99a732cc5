"""The kernel's file notifications, as far as following a log needs them (Linux only)."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys

# <sys/inotify.h>
MODIFY = 0x2
ATTRIB = 0x4
MOVED_TO = 0x80
CREATE = 0x100
DELETE_SELF = 0x400
MOVE_SELF = 0x800
OVERFLOW = 0x4000
ONLYDIR = 0x0100_0000
ONESHOT = 0x8000_0000

_HEADER = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows


class Inotify:
    """One inotify descriptor. Raises OSError where there is none, or none is left."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "inotify is Linux's")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _error("inotify_init1")
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def add(self, path: str, mask: int) -> int:
        """Watch a path and return the watch's number. Raises OSError."""
        # Masked, because a one-shot mask has the top bit set and the argument is a C int.
        watch = self._libc.inotify_add_watch(
            self._descriptor, os.fsencode(path), ctypes.c_uint32(mask)
        )
        if watch < 0:
            raise _error(path)
        return int(watch)

    def wait(self, seconds: float) -> set[int]:
        """The watches that fired; after a queue overflow, -1 is among them."""
        if not self._poll.poll(seconds * 1000):
            return set()
        try:
            events = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return set()
        return _watches(events)

    def close(self) -> None:
        os.close(self._descriptor)


def _watches(events: bytes) -> set[int]:
    fired: set[int] = set()
    place = 0
    while place < len(events):
        watch, mask, _, length = _HEADER.unpack_from(events, place)
        fired.add(-1 if mask & OVERFLOW else watch)
        place += _HEADER.size + length
    return fired


def _error(subject: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), subject)
