"""Where a run's loss first was no number: what was saved from there on is of no use."""

from __future__ import annotations

import json
import math
import os
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, cast

from trainctl.kit import files
from trainctl.kit.manifest import About
from trainctl.kit.names import RunFolder

_CHUNK = 1 << 20
_STATE_BYTES = 64 << 20  # of a trainer_state.json; a longer one is not looked into
_ODD = (b"NaN", b"Infinity")  # as JSON writers spell them


class Diverged(NamedTuple):
    """At which step, and the name and value that told."""

    step: int
    name: str
    value: float


def in_attempt(run: RunFolder, attempt: int) -> Optional[Diverged]:
    """The first loss of this attempt's metrics.jsonl that is NaN or infinite."""
    step = 0
    for line in _odd_lines(run.attempt(attempt).metrics):
        row = _row(line)
        step = _step(row, step)
        for name, value in _losses(row):
            return Diverged(step, name, value)
    return None


def in_checkpoint(path: str, about: Optional[About]) -> Optional[Diverged]:
    """What the checkpoint itself tells: its manifest's metrics, Trainer's own history."""
    seen = of_metrics(about.metrics, about.step or 0) if about is not None else None
    if seen is not None:
        return seen
    for row in _history(os.path.join(path, "trainer_state.json")):
        for name, value in _losses(row):
            return Diverged(_step(row, 0), name, value)
    return None


def of_metrics(metrics: Mapping[str, float], step: int = 0) -> Optional[Diverged]:
    """What these values of one step tell."""
    for name, value in _losses(metrics):
        return Diverged(step, name, value)
    return None


def _losses(row: Mapping[str, Any]) -> Iterator[Tuple[str, float]]:
    for name, value in row.items():
        if "loss" in name.lower() and isinstance(value, float) and not math.isfinite(value):
            yield name, value


def _step(row: Mapping[str, Any], default: int) -> int:
    step = row.get("step")
    try:
        return int(step) if isinstance(step, (int, float)) and math.isfinite(step) else default
    except OverflowError:  # an integer beyond all floats
        return default


def _odd_lines(path: str) -> Iterator[bytes]:
    """The lines in which something is no number; the others are passed over unread."""
    rest = b""
    try:
        with files.open_regular(path) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                whole, _, after = (rest + chunk).rpartition(b"\n")
                rest = after[-_CHUNK:]
                if any(word in whole for word in _ODD):
                    yield from whole.split(b"\n")
    except OSError:
        return
    yield rest


def _row(line: bytes) -> Dict[str, Any]:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("Dict[str, Any]", value) if isinstance(value, dict) else {}


def _history(path: str) -> List[Dict[str, Any]]:
    try:
        with files.open_regular(path) as file:
            text = file.read(_STATE_BYTES + 1)
    except OSError:
        return []
    if len(text) > _STATE_BYTES or not any(word in text for word in _ODD):
        return []
    history: object = _row(text).get("log_history")
    rows = cast("List[object]", history) if isinstance(history, list) else []
    return [cast("Dict[str, Any]", row) for row in rows if isinstance(row, dict)]
