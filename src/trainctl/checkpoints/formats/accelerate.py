"""What accelerate's `save_state` writes: a folder with every part of a training in its own file.

Source: accelerate 1.15.0, checkpointing.py. It keeps no step; a script's own counters, which it
registered, stand in `custom_checkpoint_*.pkl`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainctl.checkpoints.formats import dcp, sharded
from trainctl.checkpoints.formats.files import flaws_of, read_files, verdict_with, verify_files
from trainctl.checkpoints.formats.protocol import Inspection, Resuming
from trainctl.checkpoints.reading.progress import progress_of
from trainctl.checkpoints.source import Source

_RANK = re.compile(r"random_states_(\d{1,9})\.pkl$")
_CUSTOM = re.compile(r"custom_checkpoint_\d+\.(.*)")


class Accelerate:
    name = "accelerate"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        return "optimizer.bin" in files or any(map(_RANK.match, files))

    def inspect(self, source: Source) -> Inspection:
        folders = dcp.folders_in(source)
        parts = read_files(source, source.files(), folders)
        shards = [dcp.inspect_folder(source, folder) for folder in folders]
        tensors = (*parts.tensors, *(tensor for shard in shards for tensor in shard.tensors))
        registered = {
            match.group(1): value
            for name, value in parts.scalars.items()
            if (match := _CUSTOM.match(name))
        }
        progress = progress_of(registered)
        findings = (
            *flaws_of(source, parts._replace(tensors=tensors)),
            *sharded.check_indexes(source, parts.tensors),
            *(finding for shard in shards for finding in shard.findings),
            *_lacks(source),
        )
        ranks = _ranks(source)
        return Inspection(
            self.name,
            framework="accelerate",
            step=progress.step,
            epoch=progress.epoch,
            loss=progress.loss,
            metrics=progress.metrics,
            best_metric=progress.best_metric,
            tensors=tensors,
            scalars=parts.scalars,
            has_optimizer=parts.has_optimizer or any(shard.has_optimizer for shard in shards),
            world_size=max(ranks) + 1 if ranks else None,
            imports=tuple(sorted({*parts.imports, *(n for s in shards for n in s.imports)})),
            verdict=verdict_with(parts, [shard.verdict for shard in shards]),
            findings=findings,
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        return Resuming("accelerator.load_state(FOLDER), after prepare()", "folder")

    def verify(self, source: Source) -> list[str]:
        shards = [dcp.verify_folder(source, folder) for folder in dcp.folders_in(source)]
        found = verify_files(source, source.files().keys())
        return [*found, *(finding for shard in shards for finding in shard)]


def _ranks(source: Source) -> set[int]:
    return {int(match.group(1)) for match in map(_RANK.match, source.files()) if match}


def _lacks(source: Source) -> Iterator[str]:
    """It writes the random states of each rank last."""
    if not _ranks(source):
        yield "random_states_0.pkl is missing"
    stems = {name.partition(".")[0].partition("_")[0] for name in source.files()}
    if "optimizer" not in stems:
        yield "its optimizer is missing"
