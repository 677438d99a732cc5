"""Every format, in the order in which they are tried; a reader is imported when its turn comes."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Format, Inspection, Resuming
from trainctl.checkpoints.source import Source
from trainctl.kit import checkpoints

_HERE = "trainctl.checkpoints.formats"


class _Reader(NamedTuple):
    """Where a reader is, and what is worth its look; with neither endings nor heads, everything.

    formats: the names that its inspections may bear. endings: of the checkpoint's name, or of any
    file's in it. heads: how a file begins. is_dir: None for both.
    """

    module: str
    maker: str
    formats: tuple[str, ...]
    endings: tuple[str, ...] = ()
    heads: tuple[bytes, ...] = ()
    is_dir: bool | None = None

    def is_worth_a_look(self, source: Source, head: bytes) -> bool:
        if self.is_dir not in {None, source.is_dir}:
            return False
        if source.name.endswith(self.endings) or head.startswith(self.heads):
            return True
        if not self.endings and not self.heads:
            return True
        return source.is_dir and any(name.endswith(self.endings) for name in source.files())

    def load(self) -> Format:
        made: Format = getattr(import_module(f"{_HERE}.{self.module}"), self.maker)()
        return made


_NAMED = ("torch-legacy", "deepspeed", "megatron", "flax", "tensorflow", "joblib")
_READERS = (
    _Reader("orbax", "Orbax", ("orbax",), ("_METADATA", "orbax.checkpoint"), is_dir=True),
    _Reader(
        "huggingface",
        "Trainer",
        ("huggingface",),
        ("trainer_state.json", "training_args.bin"),
        is_dir=True,
    ),
    _Reader("accelerate", "Accelerate", ("accelerate",), ("optimizer.bin", ".pkl"), is_dir=True),
    _Reader("dcp", "Distributed", ("dcp",), (".distcp", ".metadata"), is_dir=True),
    _Reader(
        "keras",
        "Keras",
        ("keras", "hdf5"),
        (".keras", ".weights.h5", "training_metadata.json"),
        (b"\x89HDF",),
    ),
    _Reader("safetensors", "Safetensors", ("safetensors",), (".safetensors",), is_dir=False),
    _Reader("conventions", "Torch", ("torch", "lightning"), (), (b"PK\3\4",), is_dir=False),
    _Reader("named", "Named", _NAMED),
    _Reader("sharded", "Sharded", ("pretrained",), (".json",), is_dir=True),
    _Reader("loose", "Loose", ("folder",), is_dir=True),
    _Reader("loose", "Pickled", ("pickle",), (), (b"\x80",), is_dir=False),
    _Reader("loose", "Opaque", ("opaque",)),
)


def recognise(source: Source) -> Format:
    """The reader of what it is; the last takes everything. Raises OSError."""
    if source.is_dir and _holds_checkpoints(source):
        return _READERS[-1].load()
    head = b"" if source.is_dir else source.read("", 0, 4)
    worthy = (reader for reader in _READERS if reader.is_worth_a_look(source, head))
    return next(found for found in (reader.load() for reader in worthy) if found.recognise(source))


def _holds_checkpoints(source: Source) -> bool:
    if checkpoints.is_checkpoint_name(source.name, is_dir=True):
        return False
    return checkpoints.holds_checkpoints({name.partition("/")[0] for name in source.files()})


def inspect(source: Source) -> Inspection:
    """All that can be told of it without loading it. Raises OSError."""
    return recognise(source).inspect(source)


def resuming(inspection: Inspection) -> Resuming:
    """How its framework goes on from what was inspected."""
    for reader in _READERS:
        if inspection.format in reader.formats:
            return reader.load().resuming(inspection)
    return _READERS[-1].load().resuming(inspection)


def names() -> list[str]:
    """What an inspection's `format` may be."""
    return [name for reader in _READERS for name in reader.formats]


def formats() -> list[Format]:
    """Every reader there is, in the order in which they are tried."""
    return [reader.load() for reader in _READERS]
