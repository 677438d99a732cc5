"""What every reader of a format does: recognise, inspect, verify, say how to resume."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from trainctl.checkpoints.source import Source

Scalar = str | int | float | bool | None


class Verdict(StrEnum):
    """What loading it with the usual loader may do."""

    DATA = "data only"
    CODE = "runs code when loaded"  # it imports something that is not on the allow-list
    MALFORMED = "malformed"
    OPAQUE = "not looked into"


class Tensor(NamedTuple):
    """part: `model`, `optimizer`, `ema`, ... dtype as torch spells it: `float32`, `bfloat16`.

    file, start, end: where its bytes lie, where that is known; several tensors may share them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    part: str = "model"
    file: str = ""
    start: int | None = None
    end: int | None = None


class Inspection(NamedTuple):
    """What is known of a checkpoint without loading it.

    format: the reader's name. framework: what wrote it, with its version where it says so.
    scalars: what it holds besides tensors, by dotted key; long texts are cut. imports: the globals
    that its pickles would import, sorted. findings: what is wrong, each a sentence; with any, the
    checkpoint is not to be trusted. world_size: how many ranks it was saved by, where it says so.
    metrics: names and values as recorded; best_metric: its name, value, and "min" or "max" or "".
    """

    format: str
    framework: str = ""
    version: str = ""
    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    metrics: Mapping[str, float] = {}
    best_metric: tuple[str, float, str] | None = None
    tensors: tuple[Tensor, ...] = ()
    scalars: Mapping[str, Scalar] = {}
    has_optimizer: bool | None = None  # None: it cannot tell
    world_size: int | None = None
    imports: tuple[str, ...] = ()
    verdict: Verdict = Verdict.DATA
    findings: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers the model's tensors hold."""
        return sum(count(tensor.shape) for tensor in self.tensors if tensor.part == "model")

    @property
    def bytes_by_part(self) -> dict[str, int]:
        parts: dict[str, int] = {}
        for tensor in self.tensors:
            parts[tensor.part] = parts.get(tensor.part, 0) + tensor.bytes
        return parts


def count(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


class Resuming(NamedTuple):
    """How this framework goes on from it: one line for people, and what a script must take.

    takes: whether its own way wants the file or the folder. same_world_size: it cannot be loaded
    by another number of ranks.
    """

    how: str
    takes: str = "file"  # file | folder | either
    same_world_size: bool = False


class Format(Protocol):
    """One reader. Stateless: a module-level instance stands in `registry.FORMATS`."""

    @property
    def name(self) -> str:
        """As `checkpoint list` shows it: `torch`, `safetensors`, `dcp`, `huggingface`, ..."""
        ...

    def recognise(self, source: Source) -> bool:
        """Whether it is of this format, by names and a few first bytes. Raises no ValueError."""
        ...

    def inspect(self, source: Source) -> Inspection:
        """Headers, directories and pickled structure only; bounded in time and memory.

        What is malformed is told by `findings`, never raised. Raises OSError where it cannot be
        read at all.
        """
        ...

    def resuming(self, inspection: Inspection) -> Resuming: ...

    def verify(self, source: Source) -> list[str]:
        """What its own checksums and cross-references find wrong; reads all data.

        Each finding names file, tensor and bytes where it can. Empty also where the format has no
        checksums.
        """
        ...
