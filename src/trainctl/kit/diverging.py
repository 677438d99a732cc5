"""Where a run's loss first was no number: what was saved from there on is of no use."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple, cast

from trainctl.kit import files
from trainctl.kit.manifest import About
from trainctl.kit.names import RunFolder

_CHUNK = 1 << 20
_STATE_BYTES = 64 << 20  # of a trainer_state.json; a longer one is not looked into
_STEPS = ("step", "global_step", "iter")
_LOSS = re.compile(r"(?:^|[-_./ ])loss(?:$|[./ ])", re.IGNORECASE)  # loss_scale is none
_BEST = re.compile(r"(?:^|[-_./ ])best(?:$|[-_./ ])", re.IGNORECASE)  # infinite until there is one
_ODD = (b"NaN", b"Infinity")  # as JSON writers spell them


class Diverged(NamedTuple):
    """At which step, and the name and value that told."""

    step: int
    name: str
    value: float


def in_attempt(run: RunFolder, attempt: int) -> Optional[Diverged]:
    """The first loss of this attempt's metrics.jsonl that is NaN or infinite."""
    return _first(_row(line) for line in _telling_lines(run.attempt(attempt).metrics))


def in_checkpoint(path: str, about: Optional[About]) -> Optional[Diverged]:
    """What the checkpoint itself tells: its manifest's metrics, Trainer's own history."""
    seen = of_metrics(about.metrics, about.step or 0) if about is not None else None
    if seen is not None:
        return seen
    return _first(_history(os.path.join(path, "trainer_state.json")))


def of_metrics(metrics: Mapping[str, float], step: int = 0) -> Optional[Diverged]:
    """What these values of one step tell."""
    for name, value in _losses(metrics):
        return Diverged(step, name, value)
    return None


def _first(rows: Iterable[Mapping[str, Any]]) -> Optional[Diverged]:
    """A row without a step is of the step before it; with none before, it tells of no step."""
    step: Optional[int] = None
    for row in rows:
        told = _step(row)
        step = step if told is None else told
        seen = None if step is None else of_metrics(row, step)
        if seen is not None:
            return seen
    return None


def _losses(row: Mapping[str, Any]) -> Iterator[Tuple[str, float]]:
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value) and _is_loss(name):
            yield name, value


def _is_loss(name: str) -> bool:
    return _LOSS.search(name) is not None and _BEST.search(name) is None


def _step(row: Mapping[str, Any]) -> Optional[int]:
    steps = (_whole(row.get(name)) for name in _STEPS)
    return next((step for step in steps if step is not None), None)


def _whole(value: object) -> Optional[int]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # no number, or an integer beyond all floats
        return None
    return int(number) if math.isfinite(number) else None


def _telling_lines(path: str) -> Iterator[bytes]:
    """All lines near one in which something is no number; of the others, who tells the step."""
    rest = b""
    try:
        with files.open_regular(path) as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                whole, _, after = (rest + chunk).rpartition(b"\n")
                rest = after[-_CHUNK:]
                if any(word in whole for word in _ODD):
                    yield from whole.split(b"\n")
                else:
                    yield from _last_with_step(whole)
    except OSError:
        return
    yield rest


def _last_with_step(lines: bytes) -> Iterator[bytes]:
    if not any(b'"%s"' % name.encode() in lines for name in _STEPS):
        return
    for line in reversed(lines.split(b"\n")):
        if _step(_row(line)) is not None:
            yield line
            return


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
