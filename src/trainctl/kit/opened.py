"""Which files processes hold open, as the kernel tells; where it does not, none are seen."""

from __future__ import annotations

import os
from typing import Iterable, Optional, Set

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


def by(pids: Iterable[int], *, writing: bool = False) -> Set[str]:
    """The real paths that these processes have open; writing: only those open for writing."""
    found: Set[str] = set()
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:  # ended meanwhile, or somebody else's
            continue
        for name in names:
            path = _path(os.path.join(folder, name))
            if path is not None and not (writing and not _may_write(pid, name)):
                found.add(path)
    return found


def touches(opened: Iterable[str], path: str) -> Optional[str]:
    """One of these files that is the checkpoint at this real path or lies in it; or None."""
    inside = path + os.sep
    return next((one for one in opened if one == path or one.startswith(inside)), None)


def _path(link: str) -> Optional[str]:
    try:
        path = os.readlink(link)
    except OSError:
        return None
    return path if path.startswith("/") else None  # a pipe, a socket


def _may_write(pid: int, name: str) -> bool:
    """Source: proc(5), /proc/PID/fdinfo: the flags stand in octal."""
    try:
        with open(f"/proc/{pid}/fdinfo/{name}") as file:
            flags = next(line for line in file if line.startswith("flags:"))
    except (OSError, StopIteration):
        return False
    return int(flags.split()[1], 8) & _ACCESS != os.O_RDONLY
