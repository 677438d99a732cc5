"""Folders on their way in or out of `runs/`: whole there, or not at all.

What a command that was killed has left of them goes with the next one that looks.
"""

from __future__ import annotations

import os
import re

from trainctl.kit import process
from trainctl.kit.names import Home

_OURS = re.compile(r"\.(?:new|deleted)-.+-(\d+)")


def new(home: Home, name: str) -> str:
    """Where a run's folder is filled before it gets its name."""
    return os.path.join(home.path, f".new-{name}-{os.getpid()}")


def deleted(home: Home, name: str) -> str:
    """Where a run's folder lies once it is none any more, until all of it is removed."""
    return os.path.join(home.path, f".deleted-{name}-{os.urandom(4).hex()}-{os.getpid()}")


def sweep(home: Home) -> None:
    """Remove what commands that live no more have left half done."""
    for name in os.listdir(home.path):
        match = _OURS.fullmatch(name)
        if match and process.identity(int(match.group(1))) is None:
            remove(os.path.join(home.path, name))


def remove(folder: str) -> None:
    """All of it, as far as that can be done; gone already is fine."""
    if os.path.lexists(folder):
        import shutil  # 3 ms, for what is hardly ever there

        shutil.rmtree(folder, ignore_errors=True)
