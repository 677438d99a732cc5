"""The files of a folder as a store lists them: by key, in the order of their bytes."""

from __future__ import annotations

import os
import stat
from typing import Iterator, List, Tuple

from trainctl.kit.stores.protocol import Item

STAGING = ".trainctl"  # in a store's folder: what is half written, and a lock; holds no keys


def item_of(key: str, seen: os.stat_result) -> Item:
    if not stat.S_ISREG(seen.st_mode):
        raise FileNotFoundError(2, "is not a file", key)
    etag = f"{seen.st_ino:x}-{seen.st_mtime_ns:x}-{seen.st_size:x}"
    return Item(key, seen.st_size, seen.st_mtime, etag)


def items(root: str, prefix: str, *, folders: bool) -> Iterator[Item]:
    """Links to files count for these; links to folders are not followed."""
    top = prefix.rpartition("/")[0]
    yield from _under(root, top + "/" if top else "", prefix, folders=folders)


def _under(root: str, folder: str, prefix: str, *, folders: bool) -> Iterator[Item]:
    for key, entry in _entries(root, folder):
        if not key.startswith(prefix):
            continue
        if not key.endswith("/"):
            try:
                yield item_of(key, entry.stat())
            except FileNotFoundError:  # gone meanwhile, or neither file nor folder
                continue
        elif folders:
            yield Item(key, 0, entry.stat().st_mtime, "")
        else:
            yield from _under(root, key, prefix, folders=False)


def _entries(root: str, folder: str) -> List[Tuple[str, os.DirEntry[str]]]:
    """Keys of folders end in `/`, which also puts them where their content belongs."""
    found: List[Tuple[str, os.DirEntry[str]]] = []
    try:
        with os.scandir(os.path.join(root, folder)) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    found.append((folder + entry.name + "/", entry))
                elif not (entry.is_symlink() and entry.is_dir()):
                    found.append((folder + entry.name, entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    if not folder:
        found = [one for one in found if one[0] != STAGING + "/"]
    return sorted(found, key=lambda one: os.fsencode(one[0]))
