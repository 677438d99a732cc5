"""One safetensors file: a header of JSON, then the tensors, one right after the other.

Source: huggingface/safetensors, README.md ("Format") and safetensors/src/tensor.rs, 0.8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from trainctl.checkpoints.formats.protocol import (
    Inspection,
    Resuming,
    Scalar,
    Tensor,
    Verdict,
    count,
)
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.progress import progress_of
from trainctl.checkpoints.source import Source

LARGEST_HEADER = 100_000_000  # bytes, by the format's own rule
HEADER_BYTES = 16_000_000  # that are read, of about 130,000 tensors; more costs too much memory
_AT_ONCE = 64 << 10
_TEXT = 200
_LARGEST = 1 << 62
_DIMENSIONS = 64
_INT = frozenset((int,))
_DTYPES = {
    "BOOL": ("bool", 8),
    "F4": ("float4_e2m1fn_x2", 4),
    "F6_E2M3": ("float6_e2m3", 6),
    "F6_E3M2": ("float6_e3m2", 6),
    "U8": ("uint8", 8),
    "I8": ("int8", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "I16": ("int16", 16),
    "U16": ("uint16", 16),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "I32": ("int32", 32),
    "U32": ("uint32", 32),
    "F32": ("float32", 32),
    "C64": ("complex64", 64),
    "I64": ("int64", 64),
    "U64": ("uint64", 64),
    "F64": ("float64", 64),
}  # and the bits of an element


class Header(NamedTuple):
    """tensors: in the order of the header, with their places in the file.

    unread: whether the header is longer than what is read, though not longer than allowed.
    """

    tensors: tuple[Tensor, ...]
    metadata: dict[str, str]
    findings: tuple[str, ...]
    unread: bool = False


def read_header(source: Source, file: str = "") -> Header:
    """What the file holds and where, held against all rules of the format, in one or two reads.

    Raises OSError where it cannot be read; what is malformed is a finding.
    """
    size = source.files().get(file)
    if size is None:
        raise FileNotFoundError(2, "no such file", f"{source.where}/{file}")
    head = source.read(file, 0, min(size, _AT_ONCE))
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or length > size - 8:
        return Header((), {}, (f"it is cut off: its header should have {length} bytes",))
    if length > LARGEST_HEADER:
        return Header((), {}, (f"its header has {length} bytes, more than the format allows",))
    if length > HEADER_BYTES:
        return Header((), {}, (), unread=True)
    missing = 8 + length - len(head)
    head = head[8:] + (source.read(file, len(head), missing) if missing > 0 else b"")
    try:
        entries = parse(head[:length])
    except (ValueError, RecursionError) as error:
        return Header((), {}, (f"its header is not the JSON it should be: {str(error)[:_TEXT]}",))
    findings = Findings()
    metadata = _metadata(entries.pop("__metadata__", {}), findings)
    tensors = [
        _tensor(name, entry, (file, 8 + length), findings) for name, entry in entries.items()
    ]
    known = tuple(tensor for tensor in tensors if tensor is not None)
    if len(known) == len(tensors):
        _check_places(known, 8 + length, size, findings)
    return Header(known, metadata, tuple(findings))


def parse(data: bytes) -> dict[str, Any]:
    """A JSON object without a key twice in any object. Raises ValueError or RecursionError."""
    if data[:1] != b"{":
        raise ValueError("it does not begin with {")
    found = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return cast("dict[str, Any]", found)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands there twice")
    return made


def _refuse(what: str) -> None:
    raise ValueError(f"{what} is no number of JSON's")


def _metadata(found: Any, findings: Findings) -> dict[str, str]:
    texts = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if isinstance(found, dict) and all(isinstance(text, str) for text in texts.values()):
        return texts
    findings.append("its __metadata__ does not map texts to texts")
    return {}


def _tensor(name: str, entry: Any, base: tuple[str, int], findings: Findings) -> Tensor | None:
    try:
        return _placed(name, entry, base)
    except (ValueError, TypeError, KeyError) as error:
        findings.append(f"tensor {name[:100]!r} is described wrongly: {str(error)[:_TEXT]}")
        return None


def _placed(name: str, entry: dict[str, Any], base: tuple[str, int]) -> Tensor:
    """Raises ValueError, TypeError or KeyError for a description that breaks a rule."""
    file, first = base
    shape: list[Any] | None = entry["shape"]
    start, end = entry["data_offsets"]
    if not isinstance(shape, list) or not _INT.issuperset(map(type, (start, end, *shape))):
        raise TypeError("its shape or place is not given in whole numbers")
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"its dtype {str(entry['dtype'])[:20]!r} is not known")
    dtype, bits = _DTYPES[entry["dtype"]]
    if len(shape) > _DIMENSIONS or (shape and min(shape) < 0) or len(entry) != 3:
        raise ValueError("its shape is no shape")
    elements = count(tuple(shape))
    if not 0 <= start <= end < _LARGEST or elements * bits != 8 * (end - start):
        raise ValueError(f"its {elements} elements do not fill bytes {start} to {end}")
    size = end - start
    return Tensor(name, tuple(shape), dtype, size, _part(name), file, first + start, first + end)


def _part(name: str) -> str:
    first = name.partition(".")[0]
    return first if first in {"optimizer", "ema"} else "model"


def _check_places(tensors: tuple[Tensor, ...], first: int, size: int, findings: Findings) -> None:
    """From the header's end to the file's, each byte belongs to one tensor."""
    free, before = first, "the header"
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start or 0, tensor.end or 0)):
        start, end = tensor.start or 0, tensor.end or 0
        if start != free:
            what = "overlaps" if start < free else f"leaves {start - free} bytes unused after"
            findings.append(f"tensor {tensor.name[:100]!r} {what} {before[:100]!r}")
        free, before = max(free, end), tensor.name
    if free > size:
        findings.append(f"it is cut off: it has {size} bytes of {free}")
    elif free < size:
        findings.append(f"{size - free} bytes follow its last tensor")


class Safetensors:
    """`safetensors`: weights, and a few texts beside them; never code."""

    name = "safetensors"

    def recognise(self, source: Source) -> bool:
        if source.is_dir:
            return False
        head = source.read("", 0, 9)
        length = int.from_bytes(head[:8], "little")
        return len(head) == 9 and head[8:] == b"{" and 2 <= length <= LARGEST_HEADER

    def inspect(self, source: Source) -> Inspection:
        return inspection(read_header(source), self.name)

    def resuming(self, inspection: Inspection) -> Resuming:
        return Resuming("load_state_dict(safetensors.torch.load_file(path)); weights only")

    def verify(self, source: Source) -> list[str]:
        """The format has no checksums: only its header can be wrong."""
        return list(read_header(source).findings)


def inspection(header: Header, format: str) -> Inspection:
    """A header, or several shards' together, as other formats show it."""
    scalars: dict[str, Scalar] = {
        name[:_TEXT]: text[:_TEXT] for name, text in header.metadata.items()
    }
    progress = progress_of(_numbers(header.metadata))
    verdict = Verdict.OPAQUE if header.unread else Verdict.DATA
    return Inspection(
        format=format,
        framework={"pt": "torch", "tf": "tensorflow", "flax": "flax", "mlx": "mlx"}.get(
            header.metadata.get("format", ""), ""
        ),
        step=progress.step,
        epoch=progress.epoch,
        loss=progress.loss,
        metrics=progress.metrics,
        best_metric=progress.best_metric,
        tensors=header.tensors,
        scalars=scalars,
        has_optimizer=any(tensor.part == "optimizer" for tensor in header.tensors),
        verdict=Verdict.MALFORMED if header.findings else verdict,
        findings=header.findings,
    )


def _numbers(metadata: Mapping[str, str]) -> dict[str, Scalar]:
    """Those of its texts that are numbers: some scripts store the step so."""
    found: dict[str, Scalar] = {}
    for name, text in metadata.items():
        try:
            found[name] = float(text) if len(text) < 40 else None
        except ValueError:
            continue
    return found


SAFETENSORS = Safetensors()
