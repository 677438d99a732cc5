"""A run whose own checkpoints are gone from here goes on from those that its store has."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from trainctl.control import fetching, stores, transfer
from trainctl.control.transfer import Found
from trainctl.control.wiring import Here
from trainctl.errors import CredentialsError, ProviderError, TrainctlError
from trainctl.kit import candidates, diverging
from trainctl.kit.candidates import BEST, Candidate
from trainctl.kit.diverging import Diverged
from trainctl.kit.hashing import Pace
from trainctl.kit.names import RunFolder
from trainctl.kit.stores import shelf
from trainctl.kit.stores.opening import is_url
from trainctl.kit.stores.shelf import Shelved
from trainctl.records import record
from trainctl.records.job import Job

_LATEST = {None, "last"}


class Restored(NamedTuple):
    """candidate: None where the store has none that is meant. told: what a person should hear."""

    candidate: Candidate | None
    told: list[str]


def restore(
    here: Here, run: RunFolder, job: Job, wanted: str | None, pace: Pace | None = None
) -> Restored:
    """Fetch what is meant into the run's folder, checked to the last byte.

    wanted: as `--from` has it; None and `last` are the newest from before the first NaN. One that
    does not hold gives way to the next. Raises ProviderError or CredentialsError where the store
    cannot be asked: who began anew then would write over what it has.
    """
    told: list[str] = []
    for found in meant(here, run, job, wanted):
        path = os.path.join(run.begun, os.path.basename(found.key), found.name)
        try:
            with _asking(run):
                fetched = fetching.whole(here, found, path, pace)
        except (ProviderError, CredentialsError):
            raise
        except TrainctlError as error:
            told.append(f"passed over: {found.url}: {error.message}")
            continue
        told.append(f"{run.name} has it no more: it is fetched from {found.url}")
        there = candidates.at(path)
        if there is not None:
            about = fetched.about
            # a copy of ours: it is laid where its script looks, where that is told no path
            one = there._replace(attempt=about.attempt or 0, step=about.step, kept=True)
            return Restored(one, told)
    return Restored(None, told)


def meant(here: Here, run: RunFolder, job: Job, wanted: str | None) -> Iterator[Found]:
    """Those in the store of this run, the newest first. Nothing is fetched yet.

    Raises ProviderError or CredentialsError where the store cannot be asked.
    """
    if job.store is None or (wanted in _LATEST and not record.read(run).checkpoints):
        return  # nobody has ever seen one that could have been sent
    with _asking(run):
        _refuse_gone(job.store["url"])
        store = stores.of_job(here, job.store)
        there = shelf.shelved(store, run.name)[::-1]
    diverged = {one.attempt: diverging.in_attempt(run, one.attempt) for one in there}
    for one in there:
        if wanted in _LATEST and _is_late(one, diverged[one.attempt]):
            continue
        with _asking(run):
            found = transfer.at(store, one.key)
        if wanted is None or _is_meant(one, found.name, wanted):
            yield found


def _is_late(one: Shelved, seen: Diverged | None) -> bool:
    """Whether its loss was no number any more when it was saved."""
    if diverging.of_metrics(one.metrics) is not None:
        return True
    return seen is not None and (one.step is None or one.step >= seen.step)


def _is_meant(one: Shelved, name: str, wanted: str) -> bool:
    if wanted == "best":
        return BEST.search(name) is not None
    if wanted.isascii() and wanted.isdigit():
        return one.step == int(wanted[:18])
    return wanted in {"last", name}


def _refuse_gone(url: str) -> None:
    if not is_url(url) and not os.path.isdir(url):
        raise ProviderError(f"there is no folder {url}", hint="is its disk mounted?")


@contextmanager
def _asking(run: RunFolder) -> Generator[None]:
    """Within it a store that gives no answer is told of as what it is to this run."""
    try:
        with stores.told():
            yield
    except (ProviderError, CredentialsError) as error:
        first = f"{error.hint.rstrip('?.')}? " if error.hint else ""
        missing = f"what {run.name} would go on from is not here, nor can its store be asked"
        raise type(error)(
            f"{missing}: {error.message}",
            hint=f"{first}trainctl resume --from PATH {run.name}, "
            f"or from the beginning: trainctl rerun {run.name}",
        ) from error
