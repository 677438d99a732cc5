"""Durations as people type them, and back: the one parser for files, environment and options."""

from __future__ import annotations

import re

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_PARTS = "".join(rf"(?:({_NUMBER}){unit})?" for unit in _SECONDS)


def duration(text: str) -> float:
    """Seconds of `30s`, `5m`, `2h`, `1d`, `1h30m`, or of a plain number of seconds.

    Raises ValueError that says how to write it.
    """
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(_NUMBER, compact, re.ASCII):
        return float(compact)
    parts = re.fullmatch(_PARTS, compact, re.ASCII)
    if not compact or parts is None:
        raise ValueError(f"{text[:40]!r} is not a duration; write 30s, 5m, 2h, 1d or 1h30m")
    amounts = zip(parts.groups(), _SECONDS.values(), strict=True)
    return sum(float(amount) * unit for amount, unit in amounts if amount)


def spoken(seconds: float) -> str:
    """The shortest text that `duration` reads as these seconds: 5400 is `1h30m`."""
    whole, rest = divmod(round(seconds, 6), 1)
    if rest or whole < 1:
        return f"{seconds:g}s"
    words: list[str] = []
    left = int(whole)
    for unit, size in _SECONDS.items():
        amount, left = divmod(left, int(size))
        if amount:
            words.append(f"{amount}{unit}")
    return "".join(words)
