"""Cheap completeness: whether it is wholly written, read no further than to see it close."""

from __future__ import annotations

import os
import time
from typing import Optional

from trainctl.kit import closing, layouts
from trainctl.kit.checkpoints import TEMPORARY, Found, files_in, is_staged_name

SETTLE_SECONDS = 2.0  # how long a file whose structure tells nothing must have been quiet
UNSETTLED = f"changed less than {SETTLE_SECONDS:g} s ago"
_STRUCTURED = (  # of the files in a folder, those whose end can be seen
    ".safetensors",
    ".pt",
    ".pth",
    ".ckpt",
    ".bin",
    ".pkl",
    ".npz",
    ".keras",
    ".h5",
    ".tar",
    ".json",
)


def is_complete(found: Found, *, writers_alive: bool, now: Optional[float] = None) -> bool:
    return incompleteness(found, writers_alive=writers_alive, now=now) is None


def incompleteness(
    found: Found, *, writers_alive: bool, now: Optional[float] = None
) -> Optional[str]:
    """Why it is not wholly written, as far as its own structure and its quiet tell; None: it is.

    writers_alive: the trainer still runs, so that a file which cannot prove its end must have
    been quiet for SETTLE_SECONDS.
    """
    name = os.path.basename(os.path.normpath(found.path))
    if is_staged_name(name):
        return "it was never given its final name"
    if os.path.exists(found.path + "-unfinished"):
        return f"{name}-unfinished stands beside it"
    age = (now or time.time()) - found.mtime
    quiet = not writers_alive or abs(age) >= SETTLE_SECONDS  # of a clock ahead, age is below 0
    if not found.is_dir:
        return _flaw_of_file(found.path, quiet=quiet)
    if not quiet:
        return UNSETTLED
    return _flaw_of_folder(found.path)


def _flaw_of_file(path: str, *, quiet: bool) -> Optional[str]:
    seen = closing.flaw(path)
    if seen is closing.UNPROVED:
        return None if quiet else UNSETTLED
    return seen


def _flaw_of_folder(folder: str) -> Optional[str]:
    try:
        paths = files_in(folder)
    except OSError as error:
        return f"it {error.strerror}"
    if not paths:
        return "it is empty"
    names = [os.path.relpath(path, folder) for path in paths]
    for name in names:
        if name.endswith(TEMPORARY):
            return f"{name} was never given its final name"
    missing = layouts.missing(folder, frozenset(names))
    if missing:
        return missing
    for name, path in zip(names, paths):
        flaw = closing.flaw(path, part=True) if name.endswith(_STRUCTURED) else None
        if flaw is not None and flaw is not closing.UNPROVED:
            return f"{name}: {flaw}"
    return None
