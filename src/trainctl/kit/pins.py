"""Pins: checkpoints that no rule may remove, noted in the state folder by their real paths."""

from __future__ import annotations

import os
import time

from trainctl.kit import files
from trainctl.kit.manifest import key_of


def pin(folder: str, path: str) -> None:
    """Pin the checkpoint at this path, durably; pinned already is success."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not is_pinned(folder, path):
        note = {"path": os.path.realpath(path), "at": round(time.time(), 3)}
        files.write_json(_file(folder, path), note)


def unpin(folder: str, path: str) -> None:
    """Not pinned is success."""
    files.remove(_file(folder, path))


def is_pinned(folder: str, path: str) -> bool:
    return os.path.exists(_file(folder, path))


def _file(folder: str, path: str) -> str:
    return os.path.join(folder, f"{key_of(path)}.json")
