"""What speaks against going on from a checkpoint with this script, told before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Verdict
from trainctl.checkpoints.reading.names import DATA
from trainctl.checkpoints.scripts.resume import ResumeHint
from trainctl.checkpoints.scripts.script import Script

# What a script imports, one of these at least, where it trains by that framework.
_PACKAGES: Mapping[str, frozenset[str]] = {
    "lightning": frozenset({"lightning", "pytorch_lightning", "lightning_fabric"}),
    "transformers": frozenset(
        {"transformers", "trl", "peft", "sentence_transformers", "setfit", "unsloth", "optimum"}
    ),
    "accelerate": frozenset({"accelerate", "diffusers"}),
    "deepspeed": frozenset({"deepspeed", "transformers", "accelerate", "lightning"}),
    "megatron": frozenset({"megatron", "nemo"}),
    "keras": frozenset({"keras", "tensorflow"}),
    "orbax": frozenset({"orbax", "flax", "jax"}),
    "ultralytics": frozenset({"ultralytics"}),
}
_SHOWN = 3  # globals that one sentence names


class Loader(NamedTuple):
    """What would load it. ranks: how many it will be; None where that cannot be told."""

    script: Script
    hint: ResumeHint
    ranks: int | None


def told(
    name: str, inspection: Inspection, resuming: Resuming, loader: Loader, *, is_dir: bool
) -> list[str]:
    """Sentences about the checkpoint of this name; empty where nothing speaks against it."""
    return [
        *_of_framework(name, inspection, loader.script),
        *_of_shape(name, loader, is_dir=is_dir),
        *_of_ranks(name, inspection, resuming, loader.ranks),
        *_of_code(name, inspection),
    ]


def _of_framework(name: str, inspection: Inspection, script: Script) -> Iterator[str]:
    written = f"{inspection.framework} {inspection.format}".lower()
    for framework, packages in _PACKAGES.items():
        known = framework in written or (framework, "huggingface") == (
            "transformers",
            inspection.format,
        )
        if known and script.imports and not packages & script.imports:
            called = inspection.framework or inspection.format
            yield f"{name} was written by {called}, which {script.name} does not import"
            return


def _of_shape(name: str, loader: Loader, *, is_dir: bool) -> Iterator[str]:
    takes = loader.hint.takes
    if loader.hint.args and takes != "either" and (takes == "folder") != is_dir:
        is_ = "a folder" if is_dir else "a file"
        flag = loader.hint.args[0].partition("=")[0]
        yield f"{name} is {is_}, and {flag} of {loader.script.name} takes a {takes}"


def _of_ranks(
    name: str, inspection: Inspection, resuming: Resuming, ranks: int | None
) -> Iterator[str]:
    was = inspection.world_size
    if was is None or ranks is None or was == ranks:
        return
    told = f"{name} was saved by {_ranks(was)}, and this attempt has {_ranks(ranks)}"
    yield f"{told}: {_LOST[resuming.same_world_size]}"


_LOST = {
    True: "it can be loaded by as many only",
    False: "what each rank kept for itself, such as random states, is not restored",
}


def _ranks(count: int) -> str:
    return f"{count} rank" if count == 1 else f"{count} ranks"


def _of_code(name: str, inspection: Inspection) -> Iterator[str]:
    if inspection.verdict is not Verdict.CODE:
        return
    some = [one for one in inspection.imports if not _is_data(one)] or inspection.imports
    more = f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""
    yield f"{name} runs code when loaded: it imports {', '.join(some[:_SHOWN])}{more}"


def _is_data(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return last in DATA.get(module, ())
