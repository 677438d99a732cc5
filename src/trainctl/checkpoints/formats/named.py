"""Formats that are known by name and beginning only: sized, and otherwise opaque.

They are hashed, verified, moved and resumed from like any other; what a damaged one would lack
is told where its layout tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Verdict
from trainctl.checkpoints.source import Source
from trainctl.kit import layouts

_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_HEAD = 512
_DEEPSPEED = re.compile(r"(?:bf16_)?zero_pp_rank_(\d{1,9})_mp_rank_(\d{1,9})_optim_states\.pt$")
_MODEL = re.compile(r"(?:zero_pp_rank_\d+_)?mp_rank_\d{1,9}(?:_\d+)?_model_states\.pt$")
_MEGATRON = re.compile(r"mp_rank_(\d{1,9})(?:_(\d{1,9}))?/")
_SHARDS = re.compile(r"((?:variables/)?[^/]*)\.data-(\d{5})-of-(\d{5})$")
_STEP = re.compile(r"(?:global_step|iter_|ckpt-|checkpoint_|step_?)(\d{1,18})")

Test = Callable[[Source, Mapping[str, int]], bool]


class _Kind(NamedTuple):
    name: str
    framework: str
    test: Test
    resuming: Resuming


def _any(files: Iterable[str], pattern: re.Pattern[str]) -> bool:
    return any(map(pattern.match, files))


def _head(source: Source) -> bytes:
    return b"" if source.is_dir else source.read("", 0, _HEAD)


def _is_torch_tar(source: Source, _: Mapping[str, int]) -> bool:
    head = _head(source)
    return head[257:262] == b"ustar" and head.startswith((b"sys_info", b"./sys_info", b"storages"))


def _is_flax(source: Source, _: Mapping[str, int]) -> bool:
    """A map of MessagePack; Flax calls its files `checkpoint_7`."""
    head = _head(source)[:1]
    named = source.name.endswith(".msgpack") or source.name.startswith("checkpoint_")
    return named and bool(head) and (0x80 <= head[0] <= 0x8F or head[0] in {0xDE, 0xDF})


def _is_torch_legacy(source: Source, files: Mapping[str, int]) -> bool:
    return _head(source).startswith(_TORCH_LEGACY) or _is_torch_tar(source, files)


def _is_deepspeed(_: Source, files: Mapping[str, int]) -> bool:
    return _any(files, _DEEPSPEED) or _any(files, _MODEL)


def _is_megatron(_: Source, files: Mapping[str, int]) -> bool:
    return _any(files, _MEGATRON)


def _is_tensorflow(_: Source, files: Mapping[str, int]) -> bool:
    return _any(files, _SHARDS) and any(name.endswith(".index") for name in files)


def _is_joblib(source: Source, _: Mapping[str, int]) -> bool:
    return source.name.endswith(".joblib")


_BY_TAG = "engine.load_checkpoint(PARENT, tag=NAME); another world size wants ds_to_universal.py"
_KINDS = (
    _Kind(
        "torch-legacy",
        "torch",
        _is_torch_legacy,
        Resuming("torch.load(FILE), then load_state_dict of each of its parts"),
    ),
    _Kind(
        "deepspeed",
        "deepspeed",
        _is_deepspeed,
        Resuming(_BY_TAG, "folder", same_world_size=True),
    ),
    _Kind(
        "megatron",
        "megatron",
        _is_megatron,
        Resuming("--load PARENT --ckpt-step N", "folder", same_world_size=True),
    ),
    _Kind(
        "flax",
        "flax",
        _is_flax,
        Resuming("flax.training.checkpoints.restore_checkpoint(FILE, target)", "either"),
    ),
    _Kind(
        "tensorflow",
        "tensorflow",
        _is_tensorflow,
        Resuming("tf.train.CheckpointManager(..., FOLDER).restore_or_initialize()", "folder"),
    ),
    _Kind(
        "joblib",
        "joblib",
        _is_joblib,
        Resuming("joblib.load(FILE), which runs whatever it imports"),
    ),
)


class Named:
    """One reader for all of them; what it tells is called by the format's own name."""

    name = "named"

    def recognise(self, source: Source) -> bool:
        return _kind_of(source) is not None

    def inspect(self, source: Source) -> Inspection:
        kind = _kind_of(source)
        if kind is None:
            return Inspection(self.name, verdict=Verdict.OPAQUE)
        match = _STEP.match(source.name)
        files = source.files()
        return Inspection(
            kind.name,
            framework=kind.framework,
            step=int(match.group(1)) if match else None,
            has_optimizer=True if _any(files, _DEEPSPEED) else None,
            world_size=_world_size(files),
            verdict=Verdict.OPAQUE,
            findings=tuple(_missing(files)),
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        known = {kind.name: kind.resuming for kind in _KINDS}
        return known.get(inspection.format, Resuming(""))

    def verify(self, source: Source) -> list[str]:
        return list(self.inspect(source).findings)


def _kind_of(source: Source) -> _Kind | None:
    files = source.files()
    return next((kind for kind in _KINDS if kind.test(source, files)), None)


def _world_size(files: Mapping[str, int]) -> int | None:
    """DeepSpeed's data-parallel ranks times its model-parallel ones; of Megatron the latter."""
    deepspeed = {match.groups() for match in map(_DEEPSPEED.match, files) if match}
    megatron = {match.groups() for match in map(_MEGATRON.match, files) if match}
    return len(deepspeed or megatron) or None


def _missing(files: Mapping[str, int]) -> Iterator[str]:
    """Ranks between others; each of TensorFlow's shards."""
    yield from layouts.by_names(frozenset(files))
    for match in filter(None, map(_SHARDS.match, files)):
        stem, total = match.group(1), match.group(3)
        if f"{stem}.index" not in files:
            yield f"{stem}.index is missing"
        for number in range(min(int(total), len(files) + 1)):
            if f"{stem}.data-{number:05}-of-{total}" not in files:
                yield f"{stem}.data-{number:05}-of-{total} is missing"
