"""What a command says while it reads all of a checkpoint before it starts anything."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Self

from trainctl.cli import output

_AFTER_SECONDS = 0.5
_EVERY_SECONDS = 0.1


class Waiting:
    """On a terminal, a line that tells how much was read; gone before anything else is said."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._total = 0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._clear()

    def pace(self, count: int) -> None:
        """So many bytes more were read."""
        self._total += count
        now = time.monotonic()
        if now - self._began < _AFTER_SECONDS or now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        if sys.stderr.isatty():
            self._drawn = True
            _write(f"\r\x1b[Ktrainctl: checking every byte: {output.size(self._total)}")

    def tell(self, sentence: str) -> None:
        self._clear()
        output.told(sentence)

    def _clear(self) -> None:
        if self._drawn:
            self._drawn = False
            _write("\r\x1b[K")


def _write(text: str) -> None:
    try:
        os.write(2, text.encode())
    except OSError:
        pass
