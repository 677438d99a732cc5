"""Sizes as people type them, and back: the one parser for files, environment and options."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def size(text: str) -> int:
    """Bytes of `500MB`, `20GB`, `1.5TB`, `8GiB`, or of a plain number of bytes.

    Raises ValueError that says how to write it.
    """
    parts = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)\s*([a-z]*)", text.strip().lower(), re.ASCII)
    if parts is None or parts[2] not in _UNITS:
        raise ValueError(f"{text[:40]!r} is not a size; write 500MB, 20GB or 1.5TB")
    number, unit = parts[1], _UNITS[parts[2]]
    return int(number) * unit if number.isdecimal() else round(float(number) * unit)


def spoken_size(count: int) -> str:
    """The shortest text that `size` reads as so many bytes: 20000000000 is `20GB`."""
    for unit in ("tb", "gb", "mb", "kb"):
        amount, rest = divmod(count * 10, _UNITS[unit])
        if amount >= 10 and not rest:
            whole, tenth = divmod(amount, 10)
            return f"{whole}.{tenth}{unit.upper()}" if tenth else f"{whole}{unit.upper()}"
    return f"{count}B"
