"""A checkpoint as a bad disk would give it back: one file of it is something else."""

from __future__ import annotations

from collections.abc import Mapping

from trainctl.checkpoints.source import Source


class Altered:
    """Another source's files, but this one; None: it is gone."""

    def __init__(self, source: Source, file: str, data: bytes | None) -> None:
        self.name = source.name
        self.where = source.where
        self.is_dir = source.is_dir
        self._source = source
        self._file = file
        self._data = data

    def files(self) -> Mapping[str, int]:
        files = {name: size for name, size in self._source.files().items() if name != self._file}
        return files if self._data is None else {**files, self._file: len(self._data)}

    def read(self, file: str, start: int, length: int) -> bytes:
        if file != self._file:
            return self._source.read(file, start, length)
        if self._data is None:
            raise FileNotFoundError(2, "no such file", file)
        return self._data[start : start + length]
