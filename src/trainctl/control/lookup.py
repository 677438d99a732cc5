"""Find runs: by name, by unique prefix, the newest; and rows for the list, brought up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from trainctl.control import staging
from trainctl.control.wiring import Here
from trainctl.errors import NotFoundError, UsageError
from trainctl.kit import files
from trainctl.kit.names import RunFolder
from trainctl.records import index, record
from trainctl.records.index import Index
from trainctl.records.record import Record
from trainctl.records.rows import Row, Wanted

if TYPE_CHECKING:
    from trainctl.control.reconcile import Looked


def open_index(here: Here) -> Index:
    """The index, with what came or went by hand taken in."""
    os.makedirs(here.home.runs, mode=0o700, exist_ok=True)
    known = Index.open(here.home)
    known.catch_up(lambda name: index.row_of_folder(here.home.run(name)))
    return known


def find(here: Here, prefix: str | None) -> RunFolder:
    """The run that this names: exactly, or as its only beginning; None names the newest.

    Raises NotFoundError with what is close, UsageError where several begin so.
    """
    with open_index(here) as known:
        if prefix is None:
            newest = known.newest()
            if newest is None:
                raise NotFoundError("there are no runs yet", hint="trainctl run train.py")
            return here.home.run(newest)
        if "/" not in prefix and record.exists(here.home.run(prefix)):
            return here.home.run(prefix)
        matching = known.with_prefix(prefix)
        if len(matching) == 1:
            return here.home.run(matching[0])
        if matching:
            some = ", ".join(matching[:5]) + (", ..." if len(matching) > 5 else "")
            raise UsageError(
                f"{prefix!r} could be any of {len(matching)} runs: {some}",
                hint="type one letter more",
            )
        raise NotFoundError(f"there is no run {prefix!r}", hint=_meant(known, prefix))


def _meant(known: Index, prefix: str) -> str:
    import difflib

    recent = [row.name for row in known.find(Wanted(limit=2000))]
    stems = {name.rpartition("-")[0]: name for name in reversed(recent)}
    close = difflib.get_close_matches(prefix, recent, 1, 0.6)
    close = close or [stems[stem] for stem in difflib.get_close_matches(prefix, stems, 1, 0.6)]
    return f"did you mean {close[0]}? See all: trainctl list" if close else "trainctl list"


def refresh(here: Here, run: RunFolder) -> Record:
    """A run's record as it is now, after it was brought to what was asked of it."""
    return look(here, run).record


def look(here: Here, run: RunFolder) -> Looked:
    """The same, with what was decided about the run, and what a person should know."""
    from trainctl.control.reconcile import reconcile

    return reconcile(here, [run.name])[0]


def rows(here: Here, wanted: Wanted) -> tuple[list[Row], int]:
    """Rows of the list, and how many there are beyond the limit."""
    staging.sweep(here.home)
    with open_index(here) as known:
        update(here, known, known.living())
        return known.find(wanted), known.count(wanted)


def update(here: Here, known: Index, names: list[str]) -> None:
    """Bring the rows of these runs up to date with their folders."""
    jobs = {name: files.read_json(here.home.run(name).job) for name in names}
    gone = [
        n for n, job in jobs.items() if job is None and not os.path.isdir(here.home.run(n).path)
    ]
    whole = {name: job for name, job in jobs.items() if job is not None}
    if whole:
        from trainctl.control.reconcile import reconcile  # a list where nothing lives needs none

        looked = reconcile(here, [*whole])
        known.put([index.row(one.record, whole[one.run.name]) for one in looked])
    if gone:
        known.drop(gone)


def note(here: Here, run: RunFolder) -> None:
    """Bring one run's row up to date after something was done to it."""
    with Index.open(here.home) as known:
        update(here, known, [run.name])
