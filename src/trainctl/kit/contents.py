"""What a checkpoint is filed under, and what files it is made of; nothing in them is read."""

from __future__ import annotations

import os
import stat
from typing import Dict, Iterator, Tuple

FILES = 100_000  # of one checkpoint; a folder with more is none
DEPTH = 100  # of folders in it; nor is one that is nested deeper


def key_of(path: str) -> str:
    """What a checkpoint at this path is filed under: manifests, pins and the like."""
    import hashlib  # not for those who only ask what files there are

    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]


def stats(root: str) -> Dict[str, os.stat_result]:
    """Every file of a checkpoint, by its name in it, in order; "" is the file that it is itself.

    A link counts for the file it leads to; links to folders are not followed. Raises OSError
    where there is nothing, where something is neither file nor folder, for too many files, and for
    folders nested too deep.
    """
    seen = os.stat(root)
    if stat.S_ISREG(seen.st_mode):
        return {"": seen}
    if not stat.S_ISDIR(seen.st_mode):
        raise OSError(0, "is neither a file nor a folder", root)
    found: Dict[str, os.stat_result] = {}
    for name, entry in sorted(_entries(root)):
        found[name] = entry.stat()
        if not stat.S_ISREG(found[name].st_mode):
            raise OSError(0, "is neither a file nor a folder", entry.path)
        if len(found) > FILES:
            raise OSError(0, f"holds more than {FILES} files", root)
    return found


def _entries(root: str) -> Iterator[Tuple[str, os.DirEntry[str]]]:
    """Without recursion: a folder may be nested deeper than Python's stack."""
    waiting = [(root, "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop()
        if depth > DEPTH:
            raise OSError(0, f"is nested deeper than {DEPTH} folders", root)
        with os.scandir(folder) as listing:
            entries = list(listing)
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, name + "/", depth + 1))
            elif not (entry.is_symlink() and os.path.isdir(entry.path)):
                yield name, entry
