"""Folders of a script's own making, bare pickles, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

from trainctl.checkpoints.formats.files import read_files, verify_files
from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Verdict
from trainctl.checkpoints.formats.torch_zip import inspection, read_pickle
from trainctl.checkpoints.reading.progress import progress_of
from trainctl.checkpoints.reading.zips import Span, read_directory
from trainctl.checkpoints.source import Source
from trainctl.kit import checkpoints

_PROTOCOLS = (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")


class Loose:
    """A folder such as `step-5/`, with `model.pt` and `optimizer.pt` in it."""

    name = "folder"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        return checkpoints.is_checkpoint_name(source.name, is_dir=True) and any(
            name.endswith((".pt", ".pth", ".bin", ".ckpt", ".safetensors")) for name in files
        )

    def inspect(self, source: Source) -> Inspection:
        parts = read_files(source, source.files())
        known = {name.partition(".")[2]: value for name, value in parts.scalars.items()}
        progress = progress_of(known)
        return Inspection(
            self.name,
            step=progress.step,
            epoch=progress.epoch,
            loss=progress.loss,
            metrics=progress.metrics,
            best_metric=progress.best_metric,
            tensors=parts.tensors,
            scalars=parts.scalars,
            has_optimizer=parts.has_optimizer,
            imports=parts.imports,
            verdict=parts.verdict,
            findings=tuple(parts.findings),
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        return Resuming("by whatever the script reads it with", "folder")

    def verify(self, source: Source) -> list[str]:
        return verify_files(source, source.files().keys())


class Pickled:
    """A bare pickle: what it would import is told."""

    name = "pickle"

    def recognise(self, source: Source) -> bool:
        return not source.is_dir and source.read("", 0, 2) in _PROTOCOLS

    def inspect(self, source: Source) -> Inspection:
        return inspection(read_pickle(source), self.name)._replace(framework="")

    def resuming(self, inspection: Inspection) -> Resuming:
        return Resuming("pickle.load(FILE), which runs whatever it imports")

    def verify(self, source: Source) -> list[str]:
        return list(self.inspect(source).findings)


class Opaque:
    """Everything else: hashed, verified, moved and resumed from like any other."""

    name = "opaque"

    def recognise(self, source: Source) -> bool:
        return True

    def inspect(self, source: Source) -> Inspection:
        return Inspection(self.name, verdict=Verdict.OPAQUE, findings=tuple(_flaws(source)))

    def resuming(self, inspection: Inspection) -> Resuming:
        return Resuming("by whatever the script reads it with", "either")

    def verify(self, source: Source) -> list[str]:
        return list(self.inspect(source).findings)


def _flaws(source: Source) -> Iterator[str]:
    """A zip tells where it ends, whatever it holds."""
    if not any(source.files().values()):
        yield "it is empty"
    elif not source.is_dir and source.read("", 0, 4) == b"PK\3\4":
        yield from read_directory(Span.whole(source)).findings
