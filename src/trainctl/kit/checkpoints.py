"""Checkpoints by name and cheap completeness: no format is read further than to see it closes."""

from __future__ import annotations

import json
import os
import re
import struct
import time
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, cast

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
            found = _look(entry)
            if found is not None and found.mtime >= since:
                seen.setdefault(os.path.realpath(found.path), found)
    return sorted(seen.values(), key=lambda found: (found.mtime, found.step or -1, found.path))


def _walk(folder: str, depth: int, budget: List[int]) -> Iterator[os.DirEntry[str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        budget[0] -= 1
        if budget[0] < 0:
            return
        is_dir = entry.is_dir(follow_symlinks=False)
        if is_checkpoint_name(entry.name, is_dir=is_dir):
            yield entry
        elif is_dir and depth > 1 and not entry.name.startswith("."):
            yield from _walk(entry.path, depth - 1, budget)


def _look(entry: os.DirEntry[str]) -> Optional[Found]:
    try:
        if entry.is_dir():
            stats = [os.stat(path) for path in _files_in(entry.path)]
            size = sum(stat.st_size for stat in stats)
            mtime = max([stat.st_mtime for stat in stats], default=entry.stat().st_mtime)
            return Found(entry.path, step_of(entry.name), size, mtime, True)
        stat = entry.stat()
    except OSError:  # gone in the meantime: a trainer that keeps the last few prunes as we look
        return None
    return Found(entry.path, step_of(entry.name), stat.st_size, stat.st_mtime, False)


def _files_in(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(parent, name)


def is_complete(found: Found, *, writers_alive: bool, now: Optional[float] = None) -> bool:
    """Whether it is wholly written, as far as its own structure and its quiet tell.

    writers_alive: the trainer still runs, so that a file which cannot prove its end must have
    been quiet for SETTLE_SECONDS.
    """
    quiet = not writers_alive or (now or time.time()) - found.mtime >= SETTLE_SECONDS
    if not found.is_dir:
        return _file_is_complete(found.path, quiet=quiet)
    paths = list(_files_in(found.path))
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
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(64)
            if not head:
                return part and quiet
            if path.endswith(".safetensors"):
                return _safetensors_closes(head, size, file.read)
            if head.startswith(b"PK\x03\x04"):
                return _zip_closes(file.fileno(), size)
            if head.startswith(b"\x89HDF\r\n\x1a\n"):
                return quiet and _hdf5_closes(head, size)
            if head[:1] == b"\x80" and path.endswith((".pkl", ".pt", ".pth", ".pth.tar", ".ckpt")):
                return quiet and os.pread(file.fileno(), 1, size - 1) == b"."
    except OSError:
        return False
    return quiet


def _safetensors_closes(head: bytes, size: int, read: Any) -> bool:
    if len(head) < 8:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    if length > min(size - 8, 100_000_000):
        return False
    try:
        header: object = json.loads((head[8:] + read(max(0, length - len(head) + 8)))[:length])
    except (ValueError, RecursionError):
        return False
    if not isinstance(header, dict):
        return False
    end = 0
    for tensor in cast("Dict[str, Any]", header).values():
        if isinstance(tensor, dict) and "data_offsets" in tensor:
            end = max(end, int(cast("Dict[str, Any]", tensor)["data_offsets"][1]))
    return size == 8 + length + end


def _zip_closes(descriptor: int, size: int) -> bool:
    """The end record stands where the file ends: the last thing that a zip writer writes."""
    tail = os.pread(descriptor, min(size, 65_557), max(0, size - 65_557))
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    (comment,) = struct.unpack_from("<H", tail, at + 20)
    return at + 22 + comment == len(tail)


def _hdf5_closes(head: bytes, size: int) -> bool:
    """The superblock tells where the file ends (HDF5 file format specification, section II.A)."""
    version = head[8]
    at = {0: 40, 1: 44, 2: 28, 3: 28}.get(version)
    if at is None or len(head) < at + 8:
        return True
    (end,) = struct.unpack_from("<Q", head, at)
    return bool(end <= size)
