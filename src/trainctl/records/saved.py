"""What an attempt's checkpoints.jsonl tells: each checkpoint seen, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTED = "checkpoint"
_FATES = {"verified": "id", "pushed": "key"}  # of an event's fields, the one that is told


def fold(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The checkpoints as they were noted, each with `verified` (its manifest's id) and `pushed`.

    None for what has not come to that. An event is about the last one noted at its path.
    """
    noted: list[dict[str, Any]] = []
    at: dict[str, dict[str, Any]] = {}
    for record in records:
        path = str(record.get("path"))
        if record["event"] == NOTED:
            at[path] = {**record, "verified": None, "pushed": None}
            noted.append(at[path])
        elif record["event"] in _FATES and path in at:
            at[path][record["event"]] = record.get(_FATES[record["event"]])
    return noted


def others(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was done about them: kept, pushed, pruned, what failed and what was left."""
    return [record for record in records if record["event"] != NOTED]
