"""Small files that are whole or absent, whatever is killed in between."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from typing import Any, BinaryIO, Dict, Mapping, Optional, Union, cast

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
_full_fsync = 51  # F_FULLFSYNC: on macOS fsync alone leaves the data in the drive's cache


def sync(descriptor: int) -> None:
    """Push a file to the disk itself. An error means: treat the data as lost."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, _full_fsync)
    else:
        os.fsync(descriptor)


def sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a folder, and need not
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: Union[bytes, memoryview]) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomic(path: str, data: bytes, mode: int = 0o600, *, once: bool = False) -> None:
    """Write `data` to `path` so that a reader, also after a power cut, sees all of it or none.

    once: raise FileExistsError where `path` is there already, decided by the file system.
    Raises OSError and leaves nothing behind when the disk is full or fails.
    """
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        try:
            write_all(descriptor, data)
            sync(descriptor)
        finally:
            os.close(descriptor)
        if once:
            rename_once(beside, path)
        else:
            os.rename(beside, path)
        sync_folder(folder)
    except BaseException as error:
        remove(beside)
        if isinstance(error, OSError):
            error.filename = (
                path  # the call knew only a descriptor, or a name of no use to anybody
            )
        raise


def rename_once(beside: str, path: str) -> None:
    """Rename, but raise FileExistsError where `path` is there already."""
    try:
        os.link(beside, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):  # a file system without links: nothing better than to look
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
        os.rename(beside, path)
    else:
        os.unlink(beside)


def write_json(path: str, value: Mapping[str, Any], *, once: bool = False) -> None:
    write_atomic(path, json.dumps(value, indent=1).encode() + b"\n", once=once)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """The JSON object in `path`; None where there is no file or no whole object in it."""
    try:
        with open(path, "rb") as file:
            value: object = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return cast("Dict[str, Any]", value) if isinstance(value, dict) else None


def open_regular(path: str) -> BinaryIO:
    """Open to read. Raises OSError at once for a pipe, which would be waited for, and the like."""
    return open(path, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", path)
    return descriptor


def remove(path: str) -> None:
    """Unlink; already gone is success."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
