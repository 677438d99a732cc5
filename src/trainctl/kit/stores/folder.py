"""A folder as a store: keys are paths in it, and what is half written lies elsewhere in it."""

from __future__ import annotations

import errno
import os
import zlib
from typing import Iterator, List, Optional
from urllib.parse import quote

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
from trainctl.kit.stores.walking import STAGING, item_of

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOCK_SECONDS = 10.0
_LOCK = "lock"
_CHUNK = 1 << 20
_NAME_BYTES = 150  # of a key that its staged file is named by


class FolderStore:
    """Objects are files. A put is a rename or a link, so that readers see all of it or none."""

    def __init__(self, path: str) -> None:
        self.url = os.path.abspath(path)
        self._staging = os.path.join(self.url, STAGING)

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
        with _Told(self, key), open(self._path(key), "rb", buffering=0) as file:
            file.seek(start)
            return _whole(file.fileno(), length)

    def write(self, key: str, data: bytes, *, if_absent: bool = False, if_match: str = "") -> str:
        path = self._path(key)
        with _Told(self, key):
            staged = self._stage(key)
            try:
                with open(staged, "xb", buffering=0) as file:
                    files.write_all(file.fileno(), data)
                    files.sync(file.fileno())
                etag = item_of(key, os.stat(staged)).etag
                if if_match:
                    self._replace(staged, path, key, if_match)
                else:
                    _publish(staged, path, if_absent=if_absent)
            finally:
                files.remove(staged)
        return etag

    def _replace(self, staged: str, path: str, key: str, etag: str) -> None:
        """Only one at a time may look and then rename."""
        with Lock(os.path.join(self._staging, _LOCK)) as lock:
            if not lock.take(patience=_LOCK_SECONDS):
                raise StoreError(f"{self.url}: somebody else holds the lock of {key}")
            there = self.head(key)
            if there is None or there.etag != etag:
                raise ExistsError(f"{self.url}: {key} was changed by somebody else")
            _publish(staged, path)

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
        with Leaving(path) as source:
            with _Told(self, key):
                staged = self._stage(key)
            try:
                with open(staged, "xb", buffering=0) as file:
                    found = self._copied(source, file.fileno(), key, progress)
                    source.check(found, crc32)
                    with _Told(self, key):
                        files.sync(file.fileno())
                with _Told(self, key):
                    _publish(staged, target)
                    return item_of(key, os.stat(target))._replace(crc32=found)
            finally:
                files.remove(staged)

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
            source = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
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
            staged = self._stage(key)
            try:
                os.link(self._path(source), staged)
            except FileNotFoundError:
                raise
            except OSError:
                return False
            with _Told(self, key):
                try:
                    _publish(staged, path)
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
        begin, count = _quoted(prefix), 0
        with _Told(self, prefix):
            names = os.listdir(self._staging) if os.path.isdir(self._staging) else []
            for name in names:
                path = os.path.join(self._staging, name)
                if name != _LOCK and name.startswith(begin) and os.stat(path).st_mtime < before:
                    files.remove(path)
                    count += 1
        return count

    def _path(self, key: str) -> str:
        return os.path.join(self.url, check(key))

    def _stage(self, key: str) -> str:
        """Where its next content may be written."""
        os.makedirs(self._staging, exist_ok=True)
        return os.path.join(self._staging, f"{_quoted(key)}.{os.urandom(6).hex()}")


def _quoted(key: str) -> str:
    return quote(key, safe="")[:_NAME_BYTES]


def _publish(staged: str, path: str, *, if_absent: bool = False) -> None:
    """Rename it into place, durably. A folder that another's delete empties is made anew."""
    while True:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            if if_absent:
                files.rename_once(staged, path)
            else:
                os.replace(staged, path)
            break
        except FileNotFoundError:
            if not os.path.lexists(staged):
                raise
    files.sync_folder(os.path.dirname(path))


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
