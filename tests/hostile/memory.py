"""A checkpoint in memory, as readers see it; it counts how often it is read."""

from __future__ import annotations

from collections.abc import Mapping


class MemorySource:
    """One file; nothing is opened, so that a test can forbid to open anything."""

    name = "hostile.pt"
    where = "/nowhere/hostile.pt"
    is_dir = False

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0

    def files(self) -> Mapping[str, int]:
        return {"": len(self.data)}

    def read(self, file: str, start: int, length: int) -> bytes:
        self.reads += 1
        return self.data[start : start + length]
