"""A file on its way out: read in pieces that are summed as they leave, and may leave again."""

from __future__ import annotations

import os
import stat
import zlib
from typing import Iterator, Optional

from trainctl.kit.stores.protocol import CorruptError

CHUNK = 256 << 10  # stays in a core's own cache between summing and sending


class Leaving:
    """A file that is open for reading within `with`. Raises OSError where it cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self.file = -1

    def __enter__(self) -> Leaving:  # noqa: PYI034 - Self is younger than Python 3.8
        self.file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        seen = os.fstat(self.file)
        if not stat.S_ISREG(seen.st_mode):
            os.close(self.file)
            raise OSError(0, "is not a file", self.path)
        self.size = seen.st_size
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.file)

    def piece(self, start: int, length: int, crc32: Optional[int] = None) -> Piece:
        return Piece(self, start, length, crc32)

    def whole(self, crc32: Optional[int] = None) -> Piece:
        return Piece(self, 0, self.size, crc32)


class Piece:
    """Some bytes of a file: each iteration reads them anew into one buffer, and sums them.

    expected: the CRC-32 that they must have; it is compared before the last of them is given out,
    so that who sends them never has sent all of what is wrong.
    """

    def __init__(self, source: Leaving, start: int, length: int, expected: Optional[int]) -> None:
        self.length = length
        self.crc32 = 0
        self._source = source
        self._start = start
        self._expected = expected

    def __iter__(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(min(CHUNK, self.length)))
        done, total = 0, 0
        while done < self.length:
            view = buffer[: self.length - done]
            count = os.preadv(self._source.file, [view], self._start + done)
            total = zlib.crc32(view[:count], total)
            done += count
            if count == 0 or (done == self.length and self._expected not in {None, total}):
                raise CorruptError(f"{self._source.path} was changed while it was sent")
            yield view[:count]
        self.crc32 = total

    def sum(self) -> int:
        """The CRC-32, from reading it all."""
        for _ in self:
            pass
        return self.crc32
