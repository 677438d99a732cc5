"""Write into a run's log, run.jsonl: under the run's lock, by the clock of who writes."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from math import floor
from typing import Any

from trainctl.control.wiring import Here
from trainctl.errors import BusyError
from trainctl.kit import events, locks, process
from trainctl.kit.names import RunFolder
from trainctl.records.record import Record

LOCK_SECONDS = 30.0  # what a person asked is worth this wait: a start holds the lock for less
GLANCE_SECONDS = 1.0  # what only looks comes again


def note(here: Here, run: RunFolder, event: str, fields: Mapping[str, Any]) -> None:
    """Append one record. Once this returns it outlives us. Raises BusyError."""
    with _locked(run, LOCK_SECONDS):
        append(here, run, event, fields)


def append(here: Here, run: RunFolder, event: str, fields: Mapping[str, Any]) -> None:
    """Append one record, inside `unchanged`."""
    at = floor(here.clock.now() * 1000) / 1000  # never later than it is
    events.append(run.events, event, {"at": at, **fields})


@contextmanager
def unchanged(run: RunFolder, found: Record) -> Generator[bool]:
    """Whether the log is still as `found` has it; inside, nobody else writes. Raises BusyError."""
    with _locked(run, GLANCE_SECONDS):
        yield len(events.read(run.events).records) == len(found.events)


def me() -> dict[str, Any] | None:
    """Who asks, so that others can tell whether the one who asked still lives."""
    who = process.identity(os.getpid())
    return who.to_json() if who else None


def note_if_unchanged(
    here: Here, run: RunFolder, found: Record, event: str, fields: Mapping[str, Any]
) -> bool:
    """Append what was decided on this record; False where somebody has written since."""
    with unchanged(run, found) as still:
        if still:
            append(here, run, event, fields)
        return still


@contextmanager
def _locked(run: RunFolder, patience: float) -> Generator[None]:
    with locks.Lock(run.lock) as lock:
        if not lock.take(patience=patience):
            raise BusyError(
                f"another trainctl is changing {run.name}", hint=f"trainctl show {run.name}"
            )
        yield
