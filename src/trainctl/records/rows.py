"""What the list shows of a run, and which runs it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One line of `trainctl list`."""

    name: str
    state: str
    reason: str | None
    living: int
    created: float
    started: float | None
    ended: float | None
    trained: float  # seconds of all attempts that have ended
    going_since: float | None  # when the attempt began that goes on; None: none does
    attempts: int
    exit_code: int | None
    step: int | None
    checkpoints: int
    platform: str
    tags: str  # space separated, with a space at both ends
    command: str


class Wanted(NamedTuple):
    """Which rows, in which order. limit None: all."""

    states: Sequence[str] = ()
    reasons: Sequence[str] = ()
    tags: Sequence[str] = ()
    text: str = ""
    since: float = 0
    sort: str = "created"
    ascending: bool = False
    limit: int | None = 20


SORTS = ("created", "started", "ended", "name", "state", "attempts", "step")


def conditions(wanted: Wanted) -> tuple[str, list[Any]]:
    """The WHERE clause, empty where all are wanted, and the values of its marks."""
    clauses: list[str] = []
    values: list[Any] = []
    any_of = [("state", state) for state in wanted.states]
    any_of += [("reason", reason) for reason in wanted.reasons]
    if any_of:
        clauses.append(f"({' OR '.join(f'{column} = ?' for column, _ in any_of)})")
        values.extend(value for _, value in any_of)
    for tag in wanted.tags:
        clauses.append("instr(tags, ?) > 0")
        values.append(f" {tag} ")
    if wanted.text:
        clauses.append("(instr(command, ?) > 0 OR instr(name, ?) > 0)")
        values.extend((wanted.text, wanted.text))
    if wanted.since:
        clauses.append("created >= ?")
        values.append(wanted.since)
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), values
