"""Which checkpoints lie in a tree: by the names in its folders alone, nothing in them is opened.

Folder by folder, since a folder's own time tells whether anything came to it or went from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from trainctl.kit.checkpoints import (
    is_checkpoint_folder,
    is_checkpoint_name,
    is_staged_name,
    step_of,
)

FILE, FOLDER, LINK = "f", "d", "l"
_DIGITS = "0123456789"

Mark = tuple[int, int, int, int]  # device, inode, mtime and ctime in nanoseconds


class Folder(NamedTuple):
    """names: its checkpoints, those without a step first, then the highest step first.

    kinds: a letter for each of them. below: the folders in it that are none. is_one: it is a
    checkpoint itself, by what is in it, so that nothing in it is one.
    """

    path: str
    mark: Mark
    names: list[str]
    kinds: str
    below: list[str]
    is_one: bool

    @property
    def total(self) -> int:
        return len(self.names) + self.is_one

    def entries(self) -> Iterator[Entry]:
        if self.is_one:
            yield Entry(self.path, FOLDER, self)
        for name, kind in zip(self.names, self.kinds, strict=True):
            yield Entry(os.path.join(self.path, name), kind, self)


class Entry(NamedTuple):
    """One checkpoint, known by name only. folder: where it was found; it may be that itself."""

    path: str
    kind: str
    folder: Folder


class Tree(NamedTuple):
    """folders: each before those below it. unread: what could not be read, and why."""

    folders: list[Folder]
    unread: list[OSError]

    @property
    def total(self) -> int:
        return sum(folder.total for folder in self.folders)


def walk(root: str, *, depth: int | None, known: Mapping[str, Folder] | None = None) -> Tree:
    """Every folder of this tree in which checkpoints may lie.

    depth: how many folders deep; None: all the way. known: folders as they once were; one whose
    time is still the same is not read again. Links to folders are not followed, so that a loop
    is none.
    """
    found = Tree([], [])
    waiting: list[tuple[str, int]] = [(root, 1)]
    while waiting:
        path, level = waiting.pop()
        try:
            before = (known or {}).get(path)
            if before is None or before.mark != mark_of(path):
                before = look_into(path)
        except OSError as error:
            found.unread.append(error)
            continue
        found.folders.append(before)
        if depth is None or level < depth:
            waiting.extend((os.path.join(path, name), level + 1) for name in before.below)
    return found


def mark_of(path: str) -> Mark:
    seen = os.stat(path)
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns


def look_into(path: str) -> Folder:
    """What lies in one folder. Raises OSError."""
    mark = mark_of(path)  # before its names: what comes while we read makes the mark old
    with os.scandir(path) as listing:
        kinds = {entry.name: _kind(entry) for entry in listing}
    if is_checkpoint_folder(kinds):
        return Folder(path, mark, [], "", [], is_one=True)
    judge = _Judge()
    there: list[tuple[int, str]] = []
    below: list[str] = []
    for name, kind in kinds.items():
        step = judge.step(name, kind)
        if step is not None:
            there.append((-step, name))
        elif kind == FOLDER and name[0] != "." and not is_staged_name(name):
            below.append(name)
    there.sort()
    names = [name for _, name in there]
    letters = "".join(kinds[name] for name in names)
    return Folder(path, mark, names, letters, sorted(below), is_one=False)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return FOLDER
    return LINK if entry.is_symlink() else FILE


_NO_STEP = 1 << 62  # before every step


class _Judge:
    """Names of one folder mostly differ by their last number: each stem is judged only once."""

    def __init__(self) -> None:
        self._stems: dict[tuple[str, bool], bool] = {}

    def step(self, name: str, kind: str) -> int | None:
        """Its step, or _NO_STEP; None where it is no checkpoint."""
        stem = name.rstrip(_DIGITS)
        if stem != name and len(name) - len(stem) < 16:
            key = stem, kind == FOLDER
            ends_in_step = self._stems.get(key)
            if ends_in_step is None:
                ends_in_step = self._stems[key] = _ends_in_step(stem, is_dir=key[1])
            if ends_in_step:
                return int(name[len(stem) :])
        if not is_checkpoint_name(name, is_dir=kind == FOLDER):
            return None
        step = step_of(name)
        return _NO_STEP if step is None else step


def _ends_in_step(stem: str, *, is_dir: bool) -> bool:
    """Whether any number behind it makes a checkpoint's name, and is its step."""
    tries = (f"{stem}7", f"{stem}1234567890")
    return all(is_checkpoint_name(name, is_dir=is_dir) for name in tries) and [
        step_of(name) for name in tries
    ] == [7, 1234567890]
