"""A file on its way out: read once, and summed as it is read."""

from __future__ import annotations

import os
import stat
import zlib
from typing import Optional

from trainctl.kit.stores.protocol import CorruptError

CHUNK = 256 << 10  # stays in a core's own cache between summing and sending


class Leaving:
    """A file that is open for reading within `with`. Raises OSError where it cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = self._mtime_ns = 0
        self.file = -1

    def __enter__(self) -> Leaving:  # noqa: PYI034 - Self is younger than Python 3.8
        self.file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        seen = os.fstat(self.file)
        if not stat.S_ISREG(seen.st_mode):
            os.close(self.file)
            raise OSError(0, "is not a file", self.path)
        self.size, self._mtime_ns = seen.st_size, seen.st_mtime_ns
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.file)

    def fill(self, view: memoryview, start: int) -> int:
        """Read what begins there into all of the view; its CRC-32. Raises CorruptError."""
        done, total = 0, 0
        while done < len(view):
            part = view[done : done + CHUNK]
            count = os.preadv(self.file, [part], start + done)
            if count == 0:
                raise self.changed()
            total = zlib.crc32(part[:count], total)
            done += count
        return total

    def check(self, found: int, expected: Optional[int]) -> None:
        """Raise CorruptError where the file is not what it was when it was opened or summed."""
        seen = os.fstat(self.file)
        if (seen.st_size, seen.st_mtime_ns) != (self.size, self._mtime_ns):
            raise self.changed()
        if expected not in {None, found}:
            raise self.changed()

    def changed(self) -> CorruptError:
        return CorruptError(f"{self.path} was changed before it was sent, or while it was")
