"""The bytes of one checkpoint, wherever it lies: what readers of formats read from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol, Self

from trainctl.kit import contents


class Source(Protocol):
    """A file, or the files of a folder. What changes under us shows as ValueError or OSError."""

    @property
    def name(self) -> str:
        """Its base name."""
        ...

    @property
    def where(self) -> str:
        """Its path or URL, for messages."""
        ...

    @property
    def is_dir(self) -> bool: ...

    def files(self) -> Mapping[str, int]:
        """The size of every file by its relative path; "" is the file that it is itself."""
        ...

    def read(self, file: str, start: int, length: int) -> bytes:
        """So many bytes from there, fewer only where the file ends. Raises OSError."""
        ...


class LocalSource:
    """A checkpoint on this machine. Descriptors are kept open until `close`."""

    def __init__(self, path: str) -> None:
        self.where = path
        self.name = os.path.basename(os.path.normpath(path))
        self.is_dir = os.path.isdir(path)
        self._files: dict[str, int] | None = None
        self._open: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def files(self) -> Mapping[str, int]:
        if self._files is None:
            found = contents.stats(self.where)
            self._files = {name: seen.st_size for name, seen in found.items()}
        return self._files

    def read(self, file: str, start: int, length: int) -> bytes:
        descriptor = self._open.get(file)
        if descriptor is None:
            path = os.path.join(self.where, file) if file else self.where
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._open[file] = descriptor
        return os.pread(descriptor, length, start)
