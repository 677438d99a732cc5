"""In which order a list shows checkpoints: by names where they tell, else by what is read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trainctl.checkpoints.catalogue import Entry, Folder
from trainctl.kit import contents

SORTS = ("step", "age", "size", "name")
_SMALL_IS_GOOD = ("loss", "error", "err", "wer", "cer", "mae", "mse", "rmse", "ppl", "perplexity",
    "nll", "bpb", "bpc", "bits", "fid", "distance", "divergence", "regret")  # fmt: skip


class Metric(NamedTuple):
    """A metric by which checkpoints are ranked. mode: "min" or "max"."""

    name: str
    mode: str

    def rank(self, value: float | None) -> float:
        """Smaller is better; what has none, or is not a number, comes last."""
        if value is None or math.isnan(value):
            return math.inf
        return value if self.mode == "min" else -value


def metric(text: str) -> Metric:
    """`eval_loss`, `acc`, `score:min`. Raises ValueError for another mode.

    Where none is said, it is guessed by the words of the name: losses and errors are to be small.
    """
    name, colon, mode = text.rpartition(":")
    if colon:
        if mode not in ("min", "max") or not name:
            raise ValueError(f"{text!r} is not METRIC, METRIC:min or METRIC:max")
        return Metric(name, mode)
    words = text.lower().replace("-", "_").replace("/", "_").replace(".", "_").split("_")
    small = any(word in _SMALL_IS_GOOD or word.endswith("loss") for word in words)
    return Metric(text, "min" if small else "max")


def ordered(folders: Iterable[Folder], sort: str) -> Iterator[Entry]:
    """step: the folder that changed last first, in it the highest step first: names tell it all.

    age: the newest first; size: the largest first; name: by path.
    """
    if sort == "step":
        newest = sorted(folders, key=lambda folder: (-folder.mark[2], folder.path))
        return (entry for folder in newest for entry in folder.entries())
    entries = [entry for folder in folders for entry in folder.entries()]
    if sort == "name":
        return iter(sorted(entries, key=lambda entry: entry.path))
    measure = _age if sort == "age" else _size
    return iter(sorted(entries, key=lambda entry: (measure(entry.path), entry.path)))


def _age(path: str) -> int:
    try:
        return -os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _size(path: str) -> int:
    try:
        return -sum(seen.st_size for seen in contents.stats(path).values())
    except OSError:
        return 0
