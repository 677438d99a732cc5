"""Checkpoints that stand in memory."""

from __future__ import annotations

from collections.abc import Mapping


class MemorySource:
    """These files; one that is called "" is the checkpoint itself."""

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        self.name = name
        self.where = f"memory:{name}"
        self.is_dir = "" not in files
        self._files = files
        self.read_bytes = 0

    def files(self) -> Mapping[str, int]:
        return {name: len(data) for name, data in self._files.items()}

    def read(self, file: str, start: int, length: int) -> bytes:
        if file not in self._files:
            raise FileNotFoundError(2, "no such file", file)
        data = self._files[file][start : start + length]
        self.read_bytes += len(data)
        return data
