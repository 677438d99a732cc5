"""JSON out of a checkpoint, read with suspicion: bounded, one value for each key, finite depth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from trainctl.checkpoints.formats.protocol import Scalar
from trainctl.checkpoints.reading.findings import LIMIT
from trainctl.checkpoints.source import Source

BYTES = 32 << 20
TEXT = 200  # of a scalar
SCALARS = 500


class Document(NamedTuple):
    """A JSON object, empty where there is a finding."""

    value: dict[str, Any]
    findings: tuple[str, ...] = ()


def read_object(source: Source, file: str, most: int = BYTES) -> Document:
    """The JSON object in this file; that it holds none is a finding. Raises OSError."""
    document = read(source, file, most)
    if document.value or document.findings:
        return document
    data = source.read(file, 0, 64).strip()
    return document if data.startswith(b"{") else Document({}, (f"{file} holds no JSON object",))


def read(source: Source, file: str, most: int = BYTES) -> Document:
    """The JSON in this file, where it is an object. Raises OSError."""
    size = source.files().get(file)
    if size is None:
        return Document({}, (f"{file} is missing",))
    if size > most:
        return Document({}, (f"{file} has {size} bytes, more than is ever read",))
    return parse(source.read(file, 0, size), file)


def parse(data: bytes, name: str) -> Document:
    try:
        value = json.loads(data, object_pairs_hook=_once)
    except RecursionError:
        return Document({}, (f"{name} is nested too deeply",))
    except ValueError as error:
        return Document({}, (f"{name} is no JSON: {error}"[:TEXT],))
    return Document(members(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one key: readers would not agree on which one counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it holds {key[:TEXT]!r} twice")
        found[key] = value
    return found


def number(value: object) -> float | None:
    """A float for any JSON number that is one; None for the rest, and for what is too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def whole(value: object) -> int | None:
    """An int that may be a step: never a bool, never beyond 18 digits."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return value
    return None


def members(value: object) -> dict[str, Any]:
    """Those of a JSON object; of anything else none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Those of a JSON array; of anything else none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def numbers(value: object) -> dict[str, float]:
    """Of an object, what is a number."""
    pairs = ((key, number(item)) for key, item in members(value).items())
    return {key: item for key, item in pairs if item is not None}


def scalars(value: dict[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Everything in it that is no list, by dotted key; long texts are cut."""
    found: dict[str, Scalar] = {}
    for key, item in _scalars(value, prefix, 0):
        if len(found) >= SCALARS:
            break
        found[key] = item[:TEXT] if isinstance(item, str) else item
    return found


def _scalars(value: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Scalar]]:
    for key, item in value.items():
        below = members(item)
        if below and depth < LIMIT:
            yield from _scalars(below, f"{prefix}{key[:TEXT]}.", depth + 1)
        elif item is None or isinstance(item, (str, int, float)):
            yield f"{prefix}{key[:TEXT]}", item
