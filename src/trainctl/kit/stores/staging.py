"""What is half written in a folder store: beside the keys, locked for as long as its writer lives.

Writers of other machines may be at the same folder; the kernel's lock tells of them as well.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import Generator, Tuple
from urllib.parse import quote

from trainctl.kit import files
from trainctl.kit.stores.protocol import StoreError

LOCK = "lock"
_NAME_BYTES = 150  # of a key that its staged file is named by
_HOUR = 3600.0


class Staging:
    """The folder for it; made with the store's first content, and not a second time.

    A store whose folder is gone was unmounted, as far as anybody knows: what would be written to
    its place then would fill another disk.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._was_there = os.path.isdir(path)

    def place(self, key: str) -> str:
        """Where its next content may be written. Raises StoreError where the store is gone."""
        if self._was_there and not os.path.isdir(self.path):
            raise StoreError(f"{os.path.dirname(self.path)} is gone: is it mounted?")
        os.makedirs(self.path, exist_ok=True)
        self._was_there = True
        return os.path.join(self.path, f"{_quoted(key)}.{os.urandom(6).hex()}")

    @contextmanager
    def file(self, key: str) -> Generator[Tuple[str, int], None, None]:
        """Path and descriptor of a new file, removed afterwards if it is still there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        path = self.place(key)
        descriptor = os.open(path, flags, 0o666)
        try:
            _lock(descriptor)
            yield path, descriptor
        finally:
            os.close(descriptor)
            files.remove(path)

    def sweep(self, prefix: str, before: float, now: float) -> int:
        """Remove what keys that begin so have left, unless its writer may be at it still."""
        begin, count = _quoted(prefix), 0
        names = os.listdir(self.path) if os.path.isdir(self.path) else []
        for name in names:
            path = os.path.join(self.path, name)
            if name != LOCK and name.startswith(begin) and _is_left(path, before, now):
                files.remove(path)
                count += 1
        return count


def publish(staged: str, path: str, *, if_absent: bool = False) -> None:
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


def _quoted(key: str) -> str:
    return quote(key, safe="")[:_NAME_BYTES]


def _is_left(path: str, before: float, now: float) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or none of ours
        return False
    try:
        seen = os.fstat(descriptor)
        changed = max(seen.st_mtime, seen.st_ctime)  # a link to old content is new by the latter
        return seen.st_mtime < before and (changed < now - _HOUR or _lock(descriptor))
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether it is ours now; some file systems have no locks, there only its age tells."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
