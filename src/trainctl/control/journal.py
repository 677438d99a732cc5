"""Write into a run's log, run.jsonl: under the run's lock, by the clock of who writes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from trainctl.control.wiring import Here
from trainctl.errors import BusyError
from trainctl.kit import events, locks
from trainctl.kit.names import RunFolder
from trainctl.runs.record import Record

LOCK_SECONDS = 30.0  # longer than a start holds it


def note(here: Here, run: RunFolder, event: str, fields: Mapping[str, Any]) -> None:
    """Append one record. Once this returns it outlives us. Raises BusyError."""
    with _locked(run):
        _append(here, run, event, fields)


@contextmanager
def unchanged(run: RunFolder, found: Record) -> Generator[bool]:
    """Whether the log is still as `found` has it; while inside, nobody else writes."""
    with _locked(run):
        yield len(events.read(run.events).records) == len(found.events)


def note_if_unchanged(
    here: Here, run: RunFolder, found: Record, event: str, fields: Mapping[str, Any]
) -> bool:
    """Append what was decided on this record; False where somebody has written since."""
    with unchanged(run, found) as still:
        if still:
            _append(here, run, event, fields)
        return still


def _append(here: Here, run: RunFolder, event: str, fields: Mapping[str, Any]) -> None:
    events.append(run.events, event, {"at": round(here.clock.now(), 3), **fields})


@contextmanager
def _locked(run: RunFolder) -> Generator[None]:
    with locks.Lock(run.lock) as lock:
        if not lock.take(patience=LOCK_SECONDS):
            raise BusyError(
                f"another trainctl is changing {run.name}", hint=f"trainctl show {run.name}"
            )
        yield
