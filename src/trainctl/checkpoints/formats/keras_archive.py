"""What a `.keras` archive holds: its metadata, what its layers would import, its weights' place.

Source: keras 3.15.1, saving/saving_lib.py and saving/serialization_lib.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from trainctl.checkpoints.formats.protocol import Verdict
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.zip_checks import verify_members
from trainctl.checkpoints.reading.zip_members import check_header, read_member
from trainctl.checkpoints.reading.zips import Directory, Span, check_kinds, read_directory

_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_CONFIG_BYTES = 32 << 20
_HEADER_BYTES = 1_024
_HOLD_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer")
_HARMLESS = (  # whose functions only calculate; keras.utils fetches files, keras.saving loads more
    "activations",
    "constraints",
    "initializers",
    "losses",
    "metrics",
    "ops",
    "random",
    "regularizers",
)


class Archive(NamedTuple):
    """weights: where the HDF5 file with them lies in the zip. layers: how many, by class."""

    metadata: dict[str, Any]
    weights: Span | None
    layers: dict[str, int]
    imports: tuple[str, ...]
    verdict: Verdict
    findings: Findings


def read(span: Span) -> Archive:
    """Raises OSError only."""
    directory = read_directory(span)
    findings = directory.findings
    for finding in check_kinds(directory, deflated=(".json",)):
        findings.append(finding)
    metadata = _read_json(span, directory, _METADATA, findings)
    config = _read_json(span, directory, _CONFIG, findings)
    layers: dict[str, int] = {}
    imports: set[str] = set()
    for kind, foreign in _parts(config):
        layers[kind] = layers.get(kind, 0) + 1
        imports.update({foreign} - {""})
    weights = _place_of(span, directory, findings)
    verdict = Verdict.CODE if imports else Verdict.DATA
    return Archive(metadata, weights, layers, tuple(sorted(imports)), verdict, findings)


def _read_json(span: Span, directory: Directory, name: str, findings: Findings) -> dict[str, Any]:
    member = directory.members.get(name)
    if member is None:
        findings.append(f"the archive holds no {name}")
        return {}
    content = read_member(span, member, _CONFIG_BYTES)
    document = documents.parse(content.data, name) if not content.findings else None
    for finding in document.findings if document is not None else content.findings:
        findings.append(finding)
    return document.value if document is not None else {}


def _parts(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The class of each object that loading makes, and its name where it is not Keras' own.

    A Lambda holds the bytecode of a function, a TorchModuleWrapper a pickle of torch's, a
    TFSMLayer the path of a graph. Every other module is imported by name.
    """
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(cast("list[Any]", value))
        elif isinstance(value, dict):
            waiting.extend(cast("dict[str, Any]", value).values())
            match cast("dict[str, Any]", value):
                case {"class_name": str(kind)} as part:
                    yield kind[: documents.TEXT], _foreign(kind[: documents.TEXT], part)
                case _:
                    pass


def _foreign(kind: str, part: dict[str, Any]) -> str:
    last = kind.rpartition(".")[2]
    if last in _HOLD_CODE:
        return f"keras.{last}"
    module, named, function = part.get("module"), part.get("registered_name"), part.get("config")
    if isinstance(module, str):
        name = function if kind == "function" and isinstance(function, str) else kind
        place = f"{module[: documents.TEXT]}.{name[: documents.TEXT]}"
        return "" if _is_own(place) else place
    is_registered = not module and isinstance(named, str) and ">" in named
    return str(named)[: documents.TEXT] if is_registered else ""


def _is_own(place: str) -> bool:
    """Whether it is a class of Keras', or a function of it that only calculates."""
    top, *below = place.replace(".src.", ".").split(".")
    is_class = not below[-1][:1].islower()
    return top == "keras" and (is_class or below[0] in _HARMLESS)


def _place_of(span: Span, directory: Directory, findings: Findings) -> Span | None:
    member = directory.members.get(_WEIGHTS)
    if member is None or member.method:
        if member is None:
            findings.append(f"the archive holds no {_WEIGHTS}")
        return None
    start, wrong = check_header(member, span.read(member.header, _HEADER_BYTES))
    if wrong:
        findings.append(wrong)
        return None
    place = span.start + member.header + start
    return Span(span.source, span.file, place, member.size)


def check_members(span: Span) -> list[str]:
    """Which members do not match their checksums; reads all of them."""
    return verify_members(span, read_directory(span))
