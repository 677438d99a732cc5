"""Cheap completeness: whether it is wholly written, read no further than to see it close."""

from __future__ import annotations

import json
import os
import stat
import struct
import time
from typing import Callable, Iterable, Optional

from trainctl.kit.checkpoints import TEMPORARY, Found, files_in

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_MANY = 0xFFFFFFFF  # the zip's 64-bit end record knows
_ZIP64_TAIL = 56 + 20
HEADER_BYTES = 16_000_000  # of a safetensors file; a longer one would cost too much memory to read
SETTLE_SECONDS = 2.0  # how long a file whose structure tells nothing must have been quiet


def is_complete(found: Found, *, writers_alive: bool, now: Optional[float] = None) -> bool:
    """Whether it is wholly written, as far as its own structure and its quiet tell.

    writers_alive: the trainer still runs, so that a file which cannot prove its end must have
    been quiet for SETTLE_SECONDS.
    """
    quiet = not writers_alive or (now or time.time()) - found.mtime >= SETTLE_SECONDS
    if not found.is_dir:
        return _file_is_complete(found.path, quiet=quiet)
    paths = files_in(found.path)
    return (
        quiet
        and bool(paths)
        and not any(path.endswith(TEMPORARY) for path in paths)
        and all(_file_is_complete(path, quiet=True, part=True) for path in paths)
    )


def newest_complete(found: Iterable[Found], *, writers_alive: bool = False) -> Optional[Found]:
    """The one to resume from. A file that is named the best is taken only if there is no other."""
    whole = [item for item in found if is_complete(item, writers_alive=writers_alive)]
    plain = [item for item in whole if "best" not in os.path.basename(item.path)]
    return max(plain or whole, key=lambda item: (item.mtime, item.step or -1), default=None)


def _file_is_complete(path: str, *, quiet: bool, part: bool = False) -> bool:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                return part
            size, head = seen.st_size, file.read(64)
            if not head:
                return part and quiet
            if path.endswith(".safetensors"):
                return _safetensors_closes(head, size, file.read, quiet=quiet)
            if _begins_as(head, _ZIP):
                return _zip_closes(file.fileno(), size)
            if _begins_as(head, _HDF5):
                return quiet and _hdf5_closes(head, size)
            if head[:1] == b"\x80" and path.endswith((".pkl", ".pt", ".pth", ".pth.tar", ".ckpt")):
                return quiet and os.pread(file.fileno(), 1, size - 1) == b"."
    except OSError:
        return False
    return quiet


def _begins_as(head: bytes, magic: bytes) -> bool:
    """Whether it is of this kind, or was cut before that could show."""
    return head[: len(magic)] == magic[: len(head)]


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe that somebody named so never opens else


def _safetensors_closes(
    head: bytes, size: int, read: Callable[[int], bytes], *, quiet: bool
) -> bool:
    """The header tells where the last tensor ends (format: huggingface/safetensors)."""
    if len(head) < 8:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if length > size - 8:
        return False
    if length > HEADER_BYTES:
        return quiet
    try:
        header = json.loads((head[8:] + read(max(0, length - len(head) + 8)))[:length])
        tensors = [value for name, value in header.items() if name != "__metadata__"]
        end = max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False
    return size == 8 + length + end


def _zip_closes(descriptor: int, size: int) -> bool:
    """The end record stands where the file ends, right after the directory it tells of.

    Source: PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16.
    """
    tail = os.pread(descriptor, min(size, 65_557), max(0, size - 65_557))
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    directory, start, comment = struct.unpack_from("<IIH", tail, at + 12)
    if at + 22 + comment != len(tail):
        return False
    gap = size - len(tail) + at - directory - start
    return _MANY in (directory, start) or gap in (0, _ZIP64_TAIL)


def _hdf5_closes(head: bytes, size: int) -> bool:
    """The superblock tells where the file ends (HDF5 file format specification, section II.A)."""
    if len(head) < 64:  # less than the superblock and one object
        return False
    at = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8])
    if at is None:
        return True
    (end,) = struct.unpack_from("<Q", head, at)
    return bool(end <= size)
