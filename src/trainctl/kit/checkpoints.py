"""Checkpoints by name and cheap completeness: no format is read further than to see it closes."""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import time
from itertools import islice
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

SUFFIXES = (
    ".pt",
    ".pth",
    ".pth.tar",
    ".ckpt",
    ".safetensors",
    ".npz",
    ".pkl",
    ".msgpack",
    ".keras",
    ".h5",
)
_TEMPORARY = (".tmp", ".partial", ".incomplete", ".lock", "~")
_FOLDER = re.compile(
    r"(?:checkpoint|ckpt|step|global_step|epoch|iter)[-_=]?\d+$"
    r"|epoch=\d+-step=\d+(?:-v\d+)?(?:\.ckpt)?$"
)
_STEP = re.compile(r"(?:global_step|step|iter|checkpoint|ckpt|model)[-_=]?(\d+)(?!.*step[-_=]?\d)")
_EPOCH = re.compile(r"epoch[-_=]?(\d+)")
_BARE = re.compile(r"(?:^|[-_=])(\d+)$")
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_MANY = 0xFFFFFFFF  # the zip's 64-bit end record knows
_ZIP64_TAIL = 56 + 20
HEADER_BYTES = 16_000_000  # of a safetensors file; a longer one would cost too much memory to read
DEPTH = 4
ENTRIES = 20_000
SETTLE_SECONDS = 2.0  # how long a file whose structure tells nothing must have been quiet


class Found(NamedTuple):
    path: str
    step: Optional[int]
    size: int
    mtime: float
    is_dir: bool


def step_of(name: str) -> Optional[int]:
    """The step, else the epoch, that a checkpoint's name tells; None when it tells nothing."""
    stem = name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if stem.endswith(suffix):
            stem = stem[: -len(suffix)]
            break
    for pattern in (_STEP, _EPOCH, _BARE):
        match = pattern.search(stem)
        if match:
            return int(match.group(1)[:18])
    return None


def is_checkpoint_name(name: str, *, is_dir: bool) -> bool:
    if name.startswith(".") or name.endswith(_TEMPORARY):
        return False
    if is_dir:
        return _FOLDER.match(name) is not None
    return name.endswith(SUFFIXES) or _FOLDER.match(name) is not None


def scan(folders: Sequence[str], since: float = 0) -> List[Found]:
    """Every checkpoint in these folders that changed at or after `since`, oldest first.

    Bounded in depth and entries, so that a folder of data costs little. A folder that is a
    checkpoint is one; what lies in it is not listed again. Links are not followed into folders.
    """
    seen: Dict[str, Found] = {}
    for folder in folders:
        for entry in _walk(folder, DEPTH, [ENTRIES]):
            found = _look(entry.path)
            if found is not None and found.mtime >= since:
                seen.setdefault(os.path.realpath(found.path), found)
    return sorted(seen.values(), key=lambda found: (found.mtime, found.step or -1, found.path))


def _walk(folder: str, depth: int, budget: List[int]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(islice(listing, budget[0]), key=lambda entry: entry.name)
        folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:
        return
    for entry in entries:
        budget[0] -= 1
        if budget[0] < 0:
            return
        is_dir = entry.name in folders
        if is_checkpoint_name(entry.name, is_dir=is_dir):
            yield entry
        elif is_dir and depth > 1 and not entry.name.startswith("."):
            yield from _walk(entry.path, depth - 1, budget)


def _look(path: str) -> Optional[Found]:
    """What a checkpoint's file or folder is like; a link counts for the file it leads to."""
    step = step_of(os.path.basename(path))
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            seen = [os.stat(part) for part in _files_in(path)]
            mtime = max([part.st_mtime for part in seen], default=os.stat(path).st_mtime)
            return Found(path, step, sum(part.st_size for part in seen), mtime, True)
        seen_file = os.stat(path)
    except OSError:  # gone in the meantime: a trainer that keeps the last few prunes as we look
        return None
    if not stat.S_ISREG(seen_file.st_mode):
        return None
    return Found(path, step, seen_file.st_size, seen_file.st_mtime, False)


def _files_in(folder: str) -> List[str]:
    paths = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return list(islice(paths, ENTRIES))


def is_complete(found: Found, *, writers_alive: bool, now: Optional[float] = None) -> bool:
    """Whether it is wholly written, as far as its own structure and its quiet tell.

    writers_alive: the trainer still runs, so that a file which cannot prove its end must have
    been quiet for SETTLE_SECONDS.
    """
    quiet = not writers_alive or (now or time.time()) - found.mtime >= SETTLE_SECONDS
    if not found.is_dir:
        return _file_is_complete(found.path, quiet=quiet)
    paths = _files_in(found.path)
    return (
        quiet
        and bool(paths)
        and not any(path.endswith(_TEMPORARY) for path in paths)
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
