"""A file on its way here: it grows in order beside its place, is checked, renamed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import zlib
from typing import Callable, NamedTuple, Optional, Union

from trainctl.kit import files
from trainctl.kit.stores.aside import Aside
from trainctl.kit.stores.growing import beside
from trainctl.kit.stores.protocol import CorruptError, StoreError

_CHUNK = 1 << 20
Bytes = Union[bytes, memoryview]


class Expected(NamedTuple):
    """What the content must be; a SHA-256 makes the CRC-32 needless. where: for messages."""

    where: str
    size: int
    crc32: Optional[int] = None
    sha256: Optional[str] = None

    @property
    def is_checked(self) -> bool:
        return self.sha256 is not None or self.crc32 is not None

    @property
    def content(self) -> str:
        """What tells it from other content, as far as anybody knows."""
        return f"{self.size} {self.crc32} {self.sha256 or ''}" if self.is_checked else self.where


class Arrival:
    """Within `with`, add what follows the first `done` bytes, then finish.

    What an error or a kill leaves is gone on from, where a checksum will judge it. Raises
    StoreError where the disk has no room or somebody else is at it, OSError where the disk fails.
    """

    def __init__(self, path: str, expected: Expected) -> None:
        self.done = 0
        self.went_on = False
        self._path = path
        self._partial = beside(path, expected.content)
        self._expected = expected
        self._sha256 = hashlib.sha256() if expected.sha256 is not None else None
        self._crc32 = 0
        self._file = -1
        self._aside = Aside(self._sum) if expected.size > 4 * _CHUNK else None

    def __enter__(self) -> Arrival:  # noqa: PYI034 - Self is younger than Python 3.8
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        if os.path.islink(self._partial):
            raise self._in_the_way()
        self._file = os.open(self._partial, flags, 0o666)
        try:
            self._lock()
            self._go_on()
            self._check_room()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._aside is not None:
            self._aside.close()
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{self._path} is being fetched by somebody else now") from None

    def _in_the_way(self) -> StoreError:
        return StoreError(f"{self._partial} is in the way: it is no file of trainctl's")

    def _go_on(self) -> None:
        """Take in what an earlier try has left."""
        seen = os.fstat(self._file)
        if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
            raise self._in_the_way()
        there = seen.st_size
        if there > self._expected.size or not self._expected.is_checked:
            os.ftruncate(self._file, 0)
            return
        while self.done < there:
            chunk = os.read(self._file, min(_CHUNK, there - self.done))
            if not chunk:
                break
            self._sum(chunk)
            self.done += len(chunk)
        self.went_on = self.done > 0

    def _check_room(self) -> None:
        seen = os.fstatvfs(self._file)
        room, needed = seen.f_bavail * seen.f_frsize, self._expected.size - self.done
        if needed > room > 0:  # some file systems tell no numbers
            raise StoreError(
                f"{self._path}: {needed} bytes are still to come, the disk has room for {room}"
            )

    def add(self, data: Bytes) -> None:
        """The next bytes; the buffer may be used anew afterwards."""
        aside = self._aside if len(data) > _CHUNK // 4 else None
        if aside is not None:
            aside.begin(data)
        else:
            self._sum(data)
        try:
            self._write(data)
        finally:
            if aside is not None:
                aside.wait()
        self.done += len(data)

    def _sum(self, data: Bytes) -> None:
        if self._sha256 is not None:
            self._sha256.update(data)
        elif self._expected.crc32 is not None:
            self._crc32 = zlib.crc32(data, self._crc32)

    def _write(self, data: Bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            error.filename = self._partial
            raise

    def finish(self) -> None:
        """Check, make durable, rename; syncing the folder is left to the caller.

        Raises CorruptError where it is not what was expected; nothing of it is kept then.
        """
        wrong = self._wrong()
        if wrong:
            files.remove(self._partial)
            raise CorruptError(f"{self._expected.where}: {wrong}; nothing of it was kept")
        files.sync(self._file)
        os.rename(self._partial, self._path)

    def _wrong(self) -> str:
        size, crc32, sha256 = self._expected.size, self._expected.crc32, self._expected.sha256
        if self.done != size:
            return f"{self.done} bytes arrived, not {size}"
        if self._sha256 is not None:
            return "" if self._sha256.hexdigest() == sha256 else "its SHA-256 is not as recorded"
        if crc32 is not None and self._crc32 != crc32:
            return f"its CRC-32 is {self._crc32:08x}, not {crc32:08x}"
        return ""


def arrive(path: str, expected: Expected, fill: Callable[[Arrival], None]) -> None:
    """Let `fill` add everything, and finish.

    It is begun anew, once, where what an earlier try had left turns out to be of something else.
    """
    while True:
        with Arrival(path, expected) as arrival:
            fill(arrival)
            try:
                arrival.finish()
            except CorruptError:
                if not arrival.went_on:
                    raise
            else:
                return
