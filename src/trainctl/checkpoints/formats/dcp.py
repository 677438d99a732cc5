"""Distributed checkpoints of torch (DCP): `.metadata`, a pickle, and the `.distcp` files it maps.

Source: torch 2.13, distributed/checkpoint/{metadata,filesystem}.py. Each entry of a `.distcp` file
is a zip of its own: a piece of a tensor, or any object, such as the step.
"""

from __future__ import annotations

import re

from trainctl.checkpoints.formats import torch_zip
from trainctl.checkpoints.formats.dcp_layout import METADATA, Layout, lies_in, read_layout
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.progress import progress_of
from trainctl.checkpoints.reading.zip_checks import verify_members
from trainctl.checkpoints.reading.zips import Span, read_directory
from trainctl.checkpoints.source import Source

_SCALARS = 64  # how many are read: each lies somewhere else
_SCALAR_BYTES = 64 << 10
_RANK = re.compile(r"__(\d{1,9})_\d+\.distcp$")
_SETTINGS = re.compile(r"(?:^|\.)(?:param_groups|betas)(?:\.|$)")


class Distributed:
    name = "dcp"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        return METADATA in files or any(map(_RANK.match, files))

    def inspect(self, source: Source) -> Inspection:
        return inspect_folder(source, "")

    def resuming(self, inspection: Inspection) -> Resuming:
        how = "torch.distributed.checkpoint.load(state, checkpoint_id=FOLDER), by any world size"
        return Resuming(how, "folder")

    def verify(self, source: Source) -> list[str]:
        return verify_folder(source, "")


def inspect_folder(source: Source, folder: str) -> Inspection:
    """The distributed checkpoint in this folder of it, "" for all of it. Raises OSError."""
    layout = read_layout(source, folder)
    findings = layout.findings
    scalars = _scalars(source, layout, findings)
    progress = progress_of(scalars)
    inner = (name.removeprefix(f"{folder}/") if folder else name for name in source.files())
    ranks = {int(match.group(1)) for match in map(_RANK.match, inner) if match}
    return Inspection(
        "dcp",
        framework="torch",
        step=progress.step,
        epoch=progress.epoch,
        loss=progress.loss,
        metrics=progress.metrics,
        best_metric=progress.best_metric,
        tensors=layout.tensors,
        scalars={**scalars, "dcp.version": layout.version},
        has_optimizer=any(tensor.part == "optimizer" for tensor in layout.tensors),
        world_size=max(ranks) + 1 if ranks else None,
        imports=layout.imports,
        verdict=layout.verdict,
        findings=tuple(findings),
    )


def folders_in(source: Source) -> list[str]:
    """The folders of it that are distributed checkpoints: with FSDP, of weights and optimizer."""
    return [name.rpartition("/")[0] for name in source.files() if name.endswith("/" + METADATA)]


def verify_folder(source: Source, folder: str) -> list[str]:
    """The checksums in each entry's own zip; reads all of them."""
    layout = read_layout(source, folder)
    left = sum(source.files().values())
    for entry in layout.entries:
        left -= max(0, entry.size)
        if left < 0 or not lies_in(entry, source.files()):
            continue
        span = Span(source, entry.file, entry.start, entry.size)
        for finding in verify_members(span, read_directory(span)):
            end = entry.start + entry.size
            layout.findings.append(
                f"{entry.name}: {finding} (bytes {entry.start} to {end} of {entry.file})"
            )
    return layout.findings


def _scalars(source: Source, layout: Layout, findings: Findings) -> dict[str, Scalar]:
    """Of the objects those that are one number or text; settings of the optimizer are left."""
    objects = set(layout.objects)
    wanted = [e for e in layout.entries if e.name in objects and not _SETTINGS.search(e.name)]
    found: dict[str, Scalar] = {}
    for entry in [e for e in wanted if 0 < e.size <= _SCALAR_BYTES][:_SCALARS]:
        if not lies_in(entry, source.files()):
            continue
        seen = torch_zip.read_torch(source, entry.file, start=entry.start, size=entry.size)
        for finding in seen.findings:
            findings.append(f"{entry.name}: {finding}")
        if isinstance(seen.value, str | int | float | bool):
            found[entry.name] = seen.value
    return found
