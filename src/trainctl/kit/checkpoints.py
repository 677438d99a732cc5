"""Checkpoints by name: which files and folders are some, and of which step."""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

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
TEMPORARY = (".tmp", ".partial", ".incomplete", ".lock", "~")
_FOLDER = re.compile(
    r"(?:checkpoint|ckpt|step|global_step|epoch|iter)[-_=]?\d+$"
    r"|epoch=\d+-step=\d+(?:-v\d+)?(?:\.ckpt)?$"
)
_STEP = re.compile(r"(?:global_step|step|iter|checkpoint|ckpt|model)[-_=]?(\d+)(?!.*step[-_=]?\d)")
_EPOCH = re.compile(r"epoch[-_=]?(\d+)")
_BARE = re.compile(r"(?:^|[-_=])(\d+)$")
DEPTH = 4
ENTRIES = 20_000


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
    if name.startswith(".") or name.endswith(TEMPORARY):
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
            found = look(entry.path)
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


def look(path: str) -> Optional[Found]:
    """What a checkpoint's file or folder is like; a link counts for the file it leads to."""
    step = step_of(os.path.basename(path))
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            seen = [os.stat(part) for part in files_in(path)]
            mtime = max([part.st_mtime for part in seen], default=os.stat(path).st_mtime)
            return Found(path, step, sum(part.st_size for part in seen), mtime, True)
        seen_file = os.stat(path)
    except OSError:  # gone in the meantime: a trainer that keeps the last few prunes as we look
        return None
    if not stat.S_ISREG(seen_file.st_mode):
        return None
    return Found(path, step, seen_file.st_size, seen_file.st_mtime, False)


def files_in(folder: str) -> List[str]:
    paths = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return list(islice(paths, ENTRIES))
