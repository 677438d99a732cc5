"""A file on its way out: summed where nobody has yet, then handed from kernel to kernel."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import stat
import zlib
from typing import Iterator, Optional

from trainctl.kit.stores.protocol import CorruptError, Progress

CHUNK = 256 << 10  # stays in a core's own cache between reading and using it
_SLICE = 2 << 20  # how much is sent before the progress is told of it


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

    def chunks(self, start: int, length: int) -> Iterator[memoryview]:
        """These bytes in one reused buffer. Raises CorruptError where the file is shorter now."""
        buffer = memoryview(bytearray(min(CHUNK, length)))
        done = 0
        while done < length:
            count = os.preadv(self.file, [buffer[: length - done]], start + done)
            if count == 0:
                raise self.changed()
            yield buffer[:count]
            done += count

    def sum(self, start: int, length: int) -> int:
        """Their CRC-32."""
        total = 0
        for chunk in self.chunks(start, length):
            total = zlib.crc32(chunk, total)
        return total

    def md5(self, start: int, length: int) -> str:
        """Their MD5 in hex; empty where this Python's OpenSSL refuses it altogether."""
        try:
            total = hashlib.md5()  # noqa: S324  # the word of S3, not ours
        except ValueError:
            return ""
        for chunk in self.chunks(start, length):
            total.update(chunk)
        return total.hexdigest()

    def check(self, found: int, expected: Optional[int]) -> None:
        """Raise CorruptError where the file is not what it was when it was opened or summed."""
        seen = os.fstat(self.file)
        if (seen.st_size, seen.st_mtime_ns) != (self.size, self._mtime_ns):
            raise self.changed()
        if expected not in {None, found}:
            raise self.changed()

    def changed(self) -> CorruptError:
        return CorruptError(f"{self.path} was changed before it was sent, or while it was")


class Piece:
    """Bytes of a file as a body; the progress hears of each once, however often it is sent."""

    def __init__(self, source: Leaving, start: int, length: int, progress: Progress) -> None:
        self.length = length
        self._source = source
        self._start = start
        self._progress = progress
        self._told = 0

    def fileno(self) -> int:
        return self._source.file

    def send_to(self, connection: socket.socket) -> None:
        """Raises OSError where the connection fails, CorruptError where the file is cut."""
        is_tls = isinstance(connection, ssl.SSLSocket)
        for done in range(0, self.length, _SLICE):
            count = min(_SLICE, self.length - done)
            if is_tls:
                for chunk in self._source.chunks(self._start + done, count):
                    connection.sendall(chunk)
            elif connection.sendfile(self, self._start + done, count) < count:  # type: ignore[arg-type]
                raise self._source.changed()
            if done >= self._told:
                self._told = done + count
                self._progress(count)
