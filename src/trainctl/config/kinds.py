"""What a setting's value may be: one small reader a kind, used for files, environment and options.

A reader takes what TOML or an option gave and returns the value that the rest of trainctl uses.
It raises ValueError without a message when the kind's own name says enough.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple, cast

from trainctl.config.durations import duration
from trainctl.config.sizes import size


class Kind(NamedTuple):
    says: str  # completes "retries must be ..."
    read: Callable[[object], object]
    from_text: Callable[[str], object]  # an environment variable's text, as TOML would give it


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise ValueError
    return value


def _above_zero(value: object) -> int:
    if _count(value) == 0:
        raise ValueError("it must be above zero")
    return _count(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if not (0 < value < 10**9) or not math.isfinite(value):
        raise ValueError("it must be above zero")
    return float(value)


def _duration(value: object) -> float:
    if isinstance(value, str):
        return duration(value)
    return 0.0 if value == 0 and not isinstance(value, bool) else _number(value)


def _patience(value: object) -> float | None:
    return None if value == "off" else _duration(value)


def _processes(value: object) -> int | str:
    return "auto" if value == "auto" else _above_zero(value)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return tuple(_text(item) for item in cast("list[object]", value))


def _variables(value: object) -> tuple[str, ...]:
    items = _words(value)
    for item in items:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", item.partition("=")[0], re.ASCII):
            raise ValueError(f"{item[:40]!r} is neither NAME nor NAME=VALUE")
    return items


def _resume_arguments(value: object) -> tuple[str, ...]:
    items = _words(value)
    if any("{checkpoint}" in item for item in items) or all(i.startswith("-") for i in items):
        return items
    raise ValueError('one of them must hold "{checkpoint}", or all must be flags')


def _run_name(value: object) -> str:
    name = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name, re.ASCII):
        raise ValueError("letters, digits, dot, dash and underscore, at most 40")
    return name


def _size(value: object) -> int:
    if isinstance(value, str):
        return size(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        raise ValueError
    return value


def _store(value: object) -> str:
    text = _text(value)
    scheme, _, rest = text.partition("://")
    if "://" not in text or (scheme == "file" and rest.startswith("/")):
        return text
    bucket = rest.partition("/")[0]
    if scheme != "s3" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket, re.ASCII):
        raise ValueError
    return text


def _endpoint(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"https?://[^/@\s?#]+(/[^@\s?#]*)?", text):
        raise ValueError
    return text


def _push(value: object) -> str:
    text = " ".join(_text(value).split())
    if text in {"all", "best", "off"} or re.fullmatch(r"every [1-9]\d{0,8}", text, re.ASCII):
        return text
    raise ValueError


def _best(value: object) -> str:
    from trainctl.kit.retention import best_of

    return str(best_of(_text(value)))


def _as_number(text: str) -> object:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _same(text: str) -> object:
    return text


def _split(text: str) -> object:
    import shlex

    return shlex.split(text)


TEXT = Kind("text", _text, _same)
ABOVE_ZERO = Kind("a whole number above zero", _above_zero, _as_number)
COUNT = Kind("a whole number, 0 or more", _count, _as_number)
NUMBER = Kind("a number above zero", _number, _as_number)
DURATION = Kind("a duration (30s, 5m, 1h30m, or seconds)", _duration, _same)
PATIENCE = Kind('a duration (30s, 5m, 1h30m, or seconds) or "off"', _patience, _same)
PROCESSES = Kind('a whole number above zero, or "auto"', _processes, _as_number)
WORDS = Kind("a list of texts", _words, _split)
VARIABLES = Kind("a list of NAME or NAME=VALUE", _variables, _split)
RESUME_ARGUMENTS = Kind("a list of arguments", _resume_arguments, _split)
RUN_NAME = Kind("the beginning of a run's name", _run_name, _same)
SIZE = Kind("a size (500MB, 20GB, 1.5TB, or bytes)", _size, _same)
STORE = Kind("s3://BUCKET/PREFIX, or a folder", _store, _same)
ENDPOINT = Kind("a URL of https or http, without a user or a query", _endpoint, _same)
PUSH = Kind('"all", "best", "every N" or "off"', _push, _same)
BEST = Kind("N:METRIC:min or N:METRIC:max", _best, _same)
