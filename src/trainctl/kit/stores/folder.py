"""A folder as a store: keys are paths in it, and what is half written lies elsewhere in it."""

from __future__ import annotations

import errno
import os
import stat
import time
import zlib
from contextlib import ExitStack
from typing import Iterator, List, Optional

from trainctl.kit import files
from trainctl.kit.locks import Lock
from trainctl.kit.stores import walking
from trainctl.kit.stores.arriving import Arrival, Expected, arrive
from trainctl.kit.stores.keys import check
from trainctl.kit.stores.leaving import Leaving
from trainctl.kit.stores.protocol import (
    NONE,
    AbsentError,
    Blocks,
    DeniedError,
    ExistsError,
    Item,
    Progress,
    StoreError,
    unmoved,
)
from trainctl.kit.stores.staging import LOCK, Staging, publish
from trainctl.kit.stores.walking import STAGING, item_of

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOCK_SECONDS = 10.0
_CHUNK = 1 << 20


class FolderStore:
    """Objects are files. A put is a rename or a link, so that readers see all of it or none."""

    def __init__(self, path: str) -> None:
        self.url = os.path.abspath(path)
        self._staging = Staging(os.path.join(self.url, STAGING))

    def head(self, key: str) -> Optional[Item]:
        try:
            with _Told(self, key):
                return item_of(key, os.stat(self._path(key)))
        except AbsentError:
            return None

    def list(self, prefix: str = "", *, folders: bool = False) -> Iterator[Item]:
        with _Told(self, prefix):
            yield from walking.items(self.url, prefix, folders=folders)

    def read(self, key: str, start: int = 0, length: Optional[int] = None) -> bytes:
        with _Told(self, key):
            source = self._opened(key)
            try:
                os.lseek(source, start, os.SEEK_SET)
                return _whole(source, length)
            finally:
                os.close(source)

    def _opened(self, key: str) -> int:
        """To be read; waits for nobody, as opening a pipe would."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._path(key), flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "is not a file", key)
        return descriptor

    def write(self, key: str, data: bytes, *, if_absent: bool = False, if_match: str = "") -> str:
        path = self._path(key)
        with _Told(self, key), self._staging.file(key) as (staged, file):
            files.write_all(file, data)
            files.sync(file)
            etag = item_of(key, os.fstat(file)).etag
            if if_match:
                self._replace(staged, path, key, if_match)
            else:
                publish(staged, path, if_absent=if_absent)
        return etag

    def _replace(self, staged: str, path: str, key: str, etag: str) -> None:
        """Only one at a time may look and then rename."""
        with Lock(os.path.join(self._staging.path, LOCK)) as lock:
            if not lock.take(patience=_LOCK_SECONDS):
                raise StoreError(f"{self.url}: somebody else holds the lock of {key}")
            there = self.head(key)
            if there is None or there.etag != etag:
                raise ExistsError(f"{self.url}: {key} was changed by somebody else")
            publish(staged, path)

    def upload(
        self,
        path: str,
        key: str,
        *,
        crc32: Optional[int] = None,
        blocks: Blocks = NONE,
        progress: Progress = unmoved,
    ) -> Item:
        target = self._path(key)
        with Leaving(path) as source, ExitStack() as stack:
            with _Told(self, key):
                staged, file = stack.enter_context(self._staging.file(key))
            found = self._copied(source, file, key, progress)
            source.check(found, crc32)
            with _Told(self, key):
                files.sync(file)
                self._put(staged, target, source.size)
                return item_of(key, os.stat(target))._replace(crc32=found)

    @staticmethod
    def _put(staged: str, target: str, size: int) -> None:
        try:
            publish(staged, target)
        except FileNotFoundError:  # swept; the same may have come from somebody else meanwhile
            if os.path.lexists(staged) or os.stat(target).st_size != size:
                raise

    def _copied(self, source: Leaving, target: int, key: str, progress: Progress) -> int:
        """The CRC-32 of what was written."""
        total = 0
        for chunk in source.chunks(0, source.size):
            total = zlib.crc32(chunk, total)
            with _Told(self, key):
                files.write_all(target, chunk)
            progress(len(chunk))
        return total

    def download(
        self,
        key: str,
        path: str,
        *,
        crc32: Optional[int] = None,
        sha256: Optional[str] = None,
        progress: Progress = unmoved,
    ) -> None:
        with _Told(self, key):
            source = self._opened(key)
        try:
            size = os.fstat(source).st_size

            def fill(arrival: Arrival) -> None:
                progress(arrival.done)
                while arrival.done < size:
                    with _Told(self, key):
                        chunk = os.pread(source, _CHUNK, arrival.done)
                    if not chunk:
                        return
                    arrival.add(chunk)
                    progress(len(chunk))

            arrive(path, Expected(f"{self.url}/{key}", size, crc32, sha256), fill)
        finally:
            os.close(source)

    def copy(self, source: str, key: str) -> bool:
        path = self._path(key)
        with _Told(self, source):
            staged = self._staging.place(key)
            try:
                os.link(self._path(source), staged)
            except FileNotFoundError:
                raise
            except OSError:
                return False
            with _Told(self, key):
                try:
                    publish(staged, path)
                except FileNotFoundError:  # swept
                    return False
                finally:
                    files.remove(staged)
        return True

    def delete(self, keys: List[str]) -> None:
        for key in keys:
            path = self._path(key)
            with _Told(self, key):
                try:
                    os.unlink(path)
                except (FileNotFoundError, NotADirectoryError):
                    pass
                self._drop_empty(os.path.dirname(path))

    def _drop_empty(self, folder: str) -> None:
        """As in every store, a folder is there as long as something lies in it."""
        while len(folder) > len(self.url):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def sweep(self, prefix: str, before: float) -> int:
        with _Told(self, prefix):
            return self._staging.sweep(prefix, before, time.time())

    def _path(self, key: str) -> str:
        return os.path.join(self.url, check(key))


def _whole(descriptor: int, length: Optional[int]) -> bytes:
    """So many bytes, however little one read brings."""
    parts: List[bytes] = []
    left = os.fstat(descriptor).st_size if length is None else length
    while left > 0:
        part = os.read(descriptor, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class _Told:
    """What the folder's disk refuses, as a store's errors."""

    def __init__(self, store: FolderStore, key: str) -> None:
        self._what = f"{store.url}: {key}" if key else store.url

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        what = f"{self._what}: {error.strerror or error}"
        if isinstance(error, FileExistsError):
            raise ExistsError(f"{self._what}: there is such a key already") from error
        if error.errno in _ABSENT:
            raise AbsentError(f"{self._what}: there is no such key") from error
        if error.errno in _DENIED:
            raise DeniedError(what) from error
        raise StoreError(what) from error
