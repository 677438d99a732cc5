"""Checkpoints of Hugging Face's Trainer, and of what is built on it: TRL, peft, axolotl.

Source: transformers 5.23.0, trainer.py: weights, optimizer, scheduler and random states come
first, `trainer_state.json` last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainctl.checkpoints.formats import dcp, sharded, trainer_state
from trainctl.checkpoints.formats.files import (
    Parts,
    flaws_of,
    read_files,
    verdict_with,
    verify_files,
)
from trainctl.checkpoints.formats.protocol import Inspection, Resuming
from trainctl.checkpoints.formats.trainer_state import State
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.source import Source

_RANK = re.compile(r"rng_state_(\d{1,9})\.pth$")
_NUMBER = re.compile(r"checkpoint-(\d{1,18})$")


class Trainer:
    name = "huggingface"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        if trainer_state.FILE in files:
            return True
        return "training_args.bin" in files and _NUMBER.match(source.name) is not None

    def inspect(self, source: Source) -> Inspection:
        files = source.files()
        state = trainer_state.read_state(source)
        folders = dcp.folders_in(source)
        parts = read_files(source, files, folders)
        shards = [dcp.inspect_folder(source, folder) for folder in folders]
        tensors = (*parts.tensors, *(tensor for shard in shards for tensor in shard.tensors))
        findings = Findings(state.findings)
        for finding in (
            *flaws_of(source, parts._replace(tensors=tensors)),
            *sharded.check_indexes(source, parts.tensors),
            *(finding for shard in shards for finding in shard.findings),
            *_contradictions(source, state),
        ):
            findings.append(finding)
        framework, version, scalars = sharded.read_configs(source)
        return Inspection(
            self.name,
            framework=framework or "transformers",
            version=version,
            step=state.step,
            epoch=state.epoch,
            loss=state.loss,
            metrics=state.metrics,
            best_metric=_best(state, parts),
            tensors=tensors,
            scalars={**state.scalars, **scalars, **parts.scalars},
            has_optimizer=any(tensor.part == "optimizer" for tensor in tensors),
            world_size=_world_size(source, shards),
            imports=tuple(sorted({*parts.imports, *(n for s in shards for n in s.imports)})),
            verdict=verdict_with(parts, [shard.verdict for shard in shards]),
            findings=tuple(findings),
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        how = "trainer.train(resume_from_checkpoint=FOLDER), or --resume_from_checkpoint FOLDER"
        return Resuming(how, "folder")

    def verify(self, source: Source) -> list[str]:
        found = Findings(verify_files(source, source.files().keys()))
        for folder in dcp.folders_in(source):
            for finding in dcp.verify_folder(source, folder):
                found.append(finding)
        return found


def _world_size(source: Source, shards: list[Inspection]) -> int | None:
    """Each rank keeps random states of its own; a process alone numbers them not."""
    files = source.files()
    ranks = [int(match.group(1)) + 1 for match in map(_RANK.match, files) if match]
    ranks += [shard.world_size for shard in shards if shard.world_size is not None]
    return max(ranks, default=1 if "rng_state.pth" in files else None)


def _best(state: State, parts: Parts) -> tuple[str, float, str] | None:
    """The name is one of the arguments, which lie beside it in a pickle."""
    if state.best is None:
        return None
    name = parts.scalars.get("training_args.metric_for_best_model")
    greater = parts.scalars.get("training_args.greater_is_better")
    name = name if isinstance(name, str) else "metric"
    way = "" if greater is None else "max" if greater else "min"
    return name if name.startswith("eval_") else f"eval_{name}", state.best, way


def _contradictions(source: Source, state: State) -> Iterator[str]:
    match = _NUMBER.match(source.name)
    if match and state.step is not None and int(match.group(1)) != state.step:
        yield f"{trainer_state.FILE} is of step {state.step}, the folder of {match.group(1)}"
    stems = {name.partition(".")[0].rstrip("_0123456789") for name in source.files()}
    of_training = {"optimizer", "scheduler", "rng_state"}
    if stems & of_training and not any("/" in name for name in source.files()):
        for stem in sorted(of_training - stems):
            yield f"its {stem} is missing"
