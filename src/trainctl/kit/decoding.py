"""Manifests as they are read: anybody who can write to a store may have written them."""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Dict, List, Mapping, cast

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONG = 1 << 63
_CRC = 1 << 32
Fits = Callable[[Any], bool]


def fits(value: Mapping[str, Any]) -> bool:
    """Whether a manifest's values, its schema taken off, all have the types that it promises."""
    return _has(value, _MANIFEST)


def _has(value: Any, wanted: Dict[str, Fits]) -> bool:
    if not isinstance(value, dict) or value.keys() != wanted.keys():
        return False
    found = cast("Dict[str, Any]", value)
    return all(fit(found[name]) for name, fit in wanted.items())


def _whole(below: int, least: int = 0) -> Fits:
    return lambda value: type(value) is int and least <= value < below


def _or_none(fit: Fits) -> Fits:
    return lambda value: value is None or fit(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -_LONG < value < _LONG)


def _is_time(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _is_sum(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _are_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, cast("Dict[str, Any]", value).values()))


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(map(_whole(_CRC), cast("List[Any]", value)))


def _is_about(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    told = cast("Dict[str, Any]", value)
    return all(name in _ABOUT and _ABOUT[name](one) for name, one in told.items())


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_file, cast("List[Any]", value)))


def _is_file(value: Any) -> bool:
    if not _has(value, _FILE):
        return False
    return len(value["blocks"]) == -(-value["size"] // value["block_bytes"])


_FILE: Dict[str, Fits] = {
    "path": _is_text,
    "size": _whole(_LONG),
    "mtime_ns": _whole(_LONG, -_LONG),
    "sha256": _is_sum,
    "crc32": _whole(_CRC),
    "block_bytes": _whole(_LONG, 1),
    "blocks": _are_blocks,
}
_ABOUT: Dict[str, Fits] = {
    "run": _or_none(_is_text),
    "attempt": _or_none(_whole(_LONG)),
    "step": _or_none(_whole(_LONG)),
    "metrics": _are_metrics,
    "parent": _or_none(_is_text),
}
_MANIFEST: Dict[str, Fits] = {
    "id": _is_text,
    "path": _is_text,
    "is_dir": lambda value: isinstance(value, bool),
    "made": _is_time,
    "files": _are_files,
    "about": _is_about,
}
