"""Locks that the kernel frees when their holder dies. The file stays; its text is for messages."""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Any, Dict, Mapping, cast


class Lock:
    """An flock on a file, taken with `take`, freed by `free`, by `with`, or by the holder's death.

    `inherit` keeps it also in the children that are started while it is held.
    """

    def __init__(self, path: str, *, inherit: bool = False) -> None:
        self.path = path
        self._inherit = inherit
        self._descriptor = -1

    def take(self, *, patience: float = 0) -> bool:
        """Whether the lock is ours now; waits up to `patience` seconds."""
        give_up = time.monotonic() + patience
        descriptor = os.open(
            self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            while not _try(descriptor):
                if time.monotonic() >= give_up:
                    os.close(descriptor)
                    return False
                time.sleep(0.02)
            os.set_inheritable(descriptor, self._inherit)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def sign(self, note: Mapping[str, Any]) -> None:
        """Say who holds it, for the messages of those who wait."""
        text = json.dumps(note).encode()
        os.pwrite(self._descriptor, text, 0)  # first: on a full disk its block may be all there is
        os.ftruncate(self._descriptor, len(text))

    def free(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lock:  # noqa: PYI034 - Self is younger than Python 3.8
        return self

    def __exit__(self, *_: object) -> None:
        self.free()


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_taken(path: str) -> bool:
    """Whether somebody living holds the lock. Raises OSError where it cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor)
    finally:
        os.close(descriptor)


def holder(path: str) -> Dict[str, Any]:
    """What the last holder wrote about itself; empty when nothing readable."""
    try:
        with open(path, "rb") as file:
            value: object = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return cast("Dict[str, Any]", value) if isinstance(value, dict) else {}
