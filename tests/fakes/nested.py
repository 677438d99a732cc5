"""A checkpoint's folder with more folders in each other than the interpreter allows calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEVELS = 1_200


@contextmanager
def nested_in(made: Path) -> Iterator[None]:
    """Removed afterwards, level by level: shutil calls itself for each."""
    made.mkdir(parents=True)
    (made / "model.pt").write_bytes(b"weights")
    at = os.open(made, os.O_RDONLY)
    for _ in range(_LEVELS):
        os.mkdir("d", dir_fd=at)
        at = _next(at, "d")
    try:
        yield
    finally:
        for _ in range(_LEVELS):
            at = _next(at, "..")
            os.rmdir("d", dir_fd=at)
        os.close(at)


def _next(at: int, name: str) -> int:
    opened = os.open(name, os.O_RDONLY, dir_fd=at)
    os.close(at)
    return opened
