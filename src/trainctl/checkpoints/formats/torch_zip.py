"""What `torch.save` writes since torch 1.6: a zip of one pickle and one member for each storage.

Source: torch/serialization.py and caffe2/serialize/inline_container.cc, torch 1.6 to 2.13.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar, Tensor, Verdict
from trainctl.checkpoints.reading import allowed, pickles
from trainctl.checkpoints.reading.pickled import Value
from trainctl.checkpoints.reading.progress import progress_of
from trainctl.checkpoints.reading.tensors import Tensors
from trainctl.checkpoints.reading.torch_layout import Layout, lay_out
from trainctl.checkpoints.reading.walk import Walk
from trainctl.checkpoints.reading.zip_checks import verify_members
from trainctl.checkpoints.reading.zip_members import read_member
from trainctl.checkpoints.reading.zips import Span, read_directory
from trainctl.checkpoints.source import Source

_NUMBERS = {
    "float64": "<d",
    "float32": "<f",
    "float16": "<e",
    "int64": "<q",
    "int32": "<i",
    "int16": "<h",
    "int8": "<b",
    "uint8": "<B",
    "bool": "<?",
}
_UNPACKED = 4 << 20  # of a pickle that is compressed, which torch never does
_NAMES = 512  # of the first bytes: enough to see the first member's name


class TorchFile(NamedTuple):
    """What a file of torch's holds. value: its pickle, symbolically; None where it breaks off.

    script: whether it is TorchScript, which holds code to run instead of a training's state.
    """

    value: Value
    tensors: tuple[Tensor, ...]
    scalars: Mapping[str, Scalar]
    imports: tuple[str, ...]
    verdict: Verdict
    findings: tuple[str, ...]
    script: bool = False


def read_torch(
    source: Source, file: str = "", *, start: int = 0, size: int | None = None
) -> TorchFile:
    """Read such a zip, which may be a part of the file; three reads. Raises OSError only."""
    whole = Span.whole(source, file)
    span = whole._replace(start=start, size=whole.size - start if size is None else size)
    layout = lay_out(read_directory(span), span)
    pickled = layout.pickle
    if pickled is None:
        return TorchFile(None, (), {}, (), Verdict.MALFORMED, tuple(layout.findings))
    if pickled.size > pickles.STREAM_BYTES:
        verdict = Verdict.MALFORMED if layout.findings else Verdict.OPAQUE
        return TorchFile(None, (), {}, (), verdict, tuple(layout.findings))
    content = read_member(span, pickled, _UNPACKED if pickled.method else pickles.STREAM_BYTES)
    findings = [*layout.findings, *content.findings]
    return _describe(content.data, layout, findings, file)


def read_pickle(source: Source, file: str = "") -> TorchFile:
    """Read a bare pickle, such as accelerate's random states. Raises OSError only."""
    span = Span.whole(source, file)
    if span.size > pickles.STREAM_BYTES:
        return TorchFile(None, (), {}, (), Verdict.OPAQUE, ())
    return _describe(span.read(0, span.size), None, [], file)


def _describe(data: bytes, layout: Layout | None, findings: list[str], file: str) -> TorchFile:
    seen = pickles.read(data)
    findings = [*findings, *seen.findings]
    if not seen.findings and seen.end != len(data):
        findings.append(f"{len(data) - seen.end} bytes follow its pickle")
    tensors = Tensors(seen.globals, layout.places if layout else None, file)
    walk = Walk(tensors.tensor)
    walk.over(seen.value)
    findings += tensors.findings
    verdict = Verdict.MALFORMED if findings else allowed.judge(seen)
    script = layout is not None and layout.script
    return TorchFile(
        seen.value,
        tuple(walk.tensors),
        walk.scalars,
        allowed.imports(seen),
        Verdict.CODE if script and not findings else verdict,
        tuple(findings),
        script,
    )


def scalar_of(source: Source, tensor: Tensor) -> float | None:
    """The number in a tensor of one element; None where that is not known or not there."""
    code = _NUMBERS.get(tensor.dtype)
    if code is None or tensor.start is None or tensor.bytes != struct.calcsize(code):
        return None
    data = source.read(tensor.file, tensor.start, tensor.bytes)
    return float(struct.unpack(code, data)[0]) if len(data) == tensor.bytes else None


class TorchZip:
    """`torch`: state dictionaries, training states, whole modules, TorchScript."""

    name = "torch"

    def recognise(self, source: Source) -> bool:
        if source.is_dir:
            return False
        head = source.read("", 0, _NAMES)
        if not head.startswith(b"PK\3\4"):
            return False
        if b"/data.pkl" in head[30:]:
            return True
        return lay_out(read_directory(Span.whole(source)), Span.whole(source)).pickle is not None

    def inspect(self, source: Source) -> Inspection:
        return inspection(read_torch(source), self.name)

    def resuming(self, inspection: Inspection) -> Resuming:
        if inspection.framework == "torchscript":
            return Resuming("it is TorchScript, to be run and not to be trained on")
        return Resuming("torch.load(path), then load_state_dict of each of its parts")

    def verify(self, source: Source) -> list[str]:
        """The checksum of every member, and that each tensor's bytes are there."""
        span = Span.whole(source)
        directory = read_directory(span)
        found = read_torch(source)
        owners = {(tensor.start or 0): tensor.name for tensor in reversed(found.tensors)}
        return [*found.findings, *verify_members(span, directory, owners)]


def inspection(found: TorchFile, format: str) -> Inspection:
    """A file of torch's as other formats that build on it show it."""
    progress = progress_of(found.scalars)
    return Inspection(
        format=format,
        framework="torchscript" if found.script else "torch",
        step=progress.step,
        epoch=progress.epoch,
        loss=progress.loss,
        metrics=progress.metrics,
        best_metric=progress.best_metric,
        tensors=found.tensors,
        scalars=found.scalars,
        has_optimizer=any(tensor.part == "optimizer" for tensor in found.tensors),
        imports=found.imports,
        verdict=found.verdict,
        findings=found.findings,
    )


TORCH = TorchZip()
