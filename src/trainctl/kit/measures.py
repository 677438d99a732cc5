"""What a run has measured, such as its loss, at a checkpoint's step. Values may be NaN."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, cast

from trainctl.kit import files

_TAIL_BYTES = 1 << 20  # of a log that may be long: what was told last is near its end
_STATE_BYTES = 16 << 20
_NO_MEASURES = ("step", "global_step", "epoch", "iter", "time", "at")
_NAMED = re.compile(r"(?:^|[-_])([A-Za-z][\w.@/]*?)=(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")


def at(log: str, step: Optional[int]) -> Dict[str, float]:
    """The last value of each measure that metrics.jsonl tells at or before this step.

    step None: the last of all. Of a long log only the end is read.
    """
    found: Dict[str, float] = {}
    for record in _tail(log):
        when = record.get("step")
        if step is None or (isinstance(when, (int, float)) and when <= step):
            found.update(_measures(record))
    return found


def in_folder(path: str) -> Dict[str, float]:
    """What Hugging Face's trainer_state.json in a checkpoint's folder tells of its last logs."""
    try:
        with files.open_regular(os.path.join(path, "trainer_state.json")) as file:
            state: Any = json.loads(file.read(_STATE_BYTES))
        history: List[Any] = list(state["log_history"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    found: Dict[str, float] = {}
    for record in history:
        if isinstance(record, dict):
            found.update(_measures(cast("Dict[str, Any]", record)))
    return found


def in_name(name: str) -> Dict[str, float]:
    """What a name such as `epoch=3-step=400-val_loss=0.12.ckpt` tells."""
    told = {match.group(1): float(match.group(2)) for match in _NAMED.finditer(name)}
    return {name: value for name, value in told.items() if name not in _NO_MEASURES}


def _measures(record: Mapping[str, Any]) -> Dict[str, float]:
    found: Dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                found[str(name)] = float(value)
            except OverflowError:
                continue
    return {name: value for name, value in found.items() if name not in _NO_MEASURES}


def _tail(log: str) -> Iterator[Dict[str, Any]]:
    try:
        with files.open_regular(log) as file:
            start = max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES)
            lines = os.pread(file.fileno(), _TAIL_BYTES, start).split(b"\n")
    except OSError:
        return iter(())
    return _records(lines[1:] if start else lines)


def _records(lines: List[bytes]) -> Iterator[Dict[str, Any]]:
    for line in lines:
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield cast("Dict[str, Any]", value)
