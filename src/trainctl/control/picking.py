"""Which checkpoint an attempt goes on from: found, checked to the last byte, never guessed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trainctl.checkpoints import selection
from trainctl.control.wiring import Here
from trainctl.errors import NotFoundError, RefusedError
from trainctl.kit import candidates, choosing, launch, manifest
from trainctl.kit.candidates import Candidate
from trainctl.kit.choosing import Checker, Choice, Held
from trainctl.kit.hashing import ChangedError
from trainctl.kit.manifest import About, Pace
from trainctl.kit.names import RunFolder
from trainctl.records.job import Job

if TYPE_CHECKING:
    from trainctl.checkpoints.formats.protocol import Inspection, Resuming

A = TypeVar("A")
B = TypeVar("B")
_THREADS = 4  # that hash; more than disks and memory feed


class Picked(NamedTuple):
    """choice: what to go on from; named: a person has asked for just this one.

    told: what a person should hear of one that was fetched.
    """

    choice: Choice
    named: bool = False
    told: Sequence[str] = ()

    @property
    def notices(self) -> list[str]:
        passed = [f"passed over: {one.path}: {one.why}" for one in self.choice.passed]
        return [*passed, *self.told]


def checker(here: Here, pace: Pace | None = None) -> Checker:
    """As thorough as a controller is: hashes side by side, and the formats' own checksums."""
    return Checker(here.home.manifests, look=look, pace=pace, each=_side_by_side)


def pick(
    here: Here, run: RunFolder, job: Job, wanted: str | None, pace: Pace | None = None
) -> Picked:
    """What this run goes on from. wanted: `last`, `best`, a step or a path; None: the newest.

    Where nothing of its own is here, that of its store is fetched; where that has none, it is what
    its last attempt began with; none chosen: from the beginning.
    One that has no manifest yet gets one. Raises NotFoundError for what is not there,
    RefusedError for what was named and does not hold.
    """
    lost: NotFoundError | None = None
    try:
        choice = _here(here, run, job, wanted, pace)
    except NotFoundError as error:
        choice, lost = Choice(None, False, []), error
    told: list[str] = []
    if job.store is not None and _is_wanting(run, job, wanted, choice):
        from trainctl.control import restoring  # a client of stores

        fetched = restoring.restore(here, run, job, wanted, pace)
        told = fetched.told
        if fetched.candidate is not None:
            choice, lost = Choice(fetched.candidate, True, choice.passed), None
    if lost is not None:
        raise lost
    if choice.candidate is not None and not choice.verified:
        _file(here, choice.candidate, run if choice.candidate.attempt else None, pace)
    return Picked(choice, wanted not in {None, "last"}, told)


def _here(here: Here, run: RunFolder, job: Job, wanted: str | None, pace: Pace | None) -> Choice:
    check = checker(here, pace)
    if wanted is None:
        number = (run.attempts() or [0])[-1] + 1
        return launch.choose(run, job.to_json(), number, check)
    return newest(here, run, job, pace) if wanted == "last" else _named(run, job, wanted, check)


def _is_wanting(run: RunFolder, job: Job, wanted: str | None, choice: Choice) -> bool:
    """Whether this machine has nothing of the run's own, where its store may have."""
    if wanted is not None or job.resume["mode"] == "never":
        return wanted is not None and choice.candidate is None
    own = {one.path for one in candidates.of_run(run, job.to_json())}
    return choice.path not in own  # else it is what an attempt began with, or nothing


def newest(
    here: Here, run: RunFolder, job: Job, pace: Pace | None = None, *, writers_alive: bool = False
) -> Choice:
    """The newest checkpoint of that run that holds. Raises NotFoundError where none does."""
    check = checker(here, pace)._replace(writers_alive=writers_alive)
    choice = choosing.choose(run, job.to_json(), check)
    if choice.path is None:
        raise _none(choice)
    return choice


def at(here: Here, path: str, text: str, pace: Pace | None = None) -> Candidate:
    """The checkpoint at this path once it is known to hold. Raises RefusedError else.

    text: as it was typed, for messages. One that has no manifest yet gets one.
    """
    found = candidates.at(path)
    if found is None:
        raise NotFoundError(f"{text} is neither a file nor a folder that can be read")
    held = checker(here, pace).held(found.found)
    if held.why is not None:
        raise _damaged(text, path, held.why)
    if not held.verified:
        _file(here, found, None, pace)
    return found


def inspected(path: str) -> tuple[Inspection, Resuming]:
    """What it holds, and how its framework goes on from it. Raises OSError."""
    from trainctl.checkpoints.formats import registry
    from trainctl.checkpoints.source import LocalSource

    with LocalSource(path) as source:
        inspection = registry.inspect(source)
        return inspection, registry.resuming(inspection)


def _named(run: RunFolder, job: Job, wanted: str, check: Checker) -> Choice:
    """The first that holds of those that are meant; what diverged is taken, as it was named."""
    found = candidates.of_run(run, job.to_json())
    check = check._replace(lives=candidates.lives_of(run))
    meant = selection.fitting(found, wanted, job.cwd)
    seen: list[tuple[Candidate, Held]] = []
    for one in meant:
        held = check.held(one.found)
        seen.append((one, held))
        if held.why is None:
            return Choice(one, held.verified, [])
    first, held = seen[0]
    near = os.path.relpath(first.path, job.cwd)
    other = choosing.choose(run, job.to_json(), check).path
    raise _damaged(near, first.path, str(held.why), f"trainctl resume --from {other}", other)


def _damaged(
    text: str, path: str, why: str, otherwise: str | None = None, other: str | None = None
) -> RefusedError:
    """Named, but not to be relied upon: nothing is started."""
    mended = f"trainctl checkpoint verify --renew {shlex.quote(path)}"
    hint = f"where it was changed on purpose: {mended}"
    if otherwise is not None and other is not None:
        hint = f"{otherwise}, the newest that holds; {hint}"
    return RefusedError(f"{text} does not hold: {why}", hint=hint)


def _none(choice: Choice) -> NotFoundError:
    error = selection.none_whole()
    if choice.passed:
        newest_one = choice.passed[0]
        error.message += f": {newest_one.path}: {newest_one.why}"
    return error


def look(path: str) -> list[str]:
    """What is wrong with a checkpoint by its own headers and checksums; reads all of it."""
    from trainctl.checkpoints.formats import registry
    from trainctl.checkpoints.source import LocalSource

    try:
        with LocalSource(path) as source:
            reader = registry.recognise(source)
            return list(reader.inspect(source).findings) or reader.verify(source)
    except OSError as error:
        return [f"it cannot be read: {error.strerror or error}"]


def _file(here: Here, one: Candidate, run: RunFolder | None, pace: Pace | None) -> None:
    """Hash what holds, so that from now on every change of it shows."""
    about = About(
        run=run.name if run is not None else None,
        attempt=one.attempt or None,
        step=one.step,
    )
    try:
        made = manifest.make(one.path, about, pace, _side_by_side)
        manifest.write(here.home.manifests, made)
    except (ChangedError, OSError):
        return  # somebody writes to it: it is taken as it is, and remains unverified


def _side_by_side(function: Callable[[A], B], items: Iterable[A]) -> Iterable[B]:
    from concurrent.futures import ThreadPoolExecutor  # 10 ms, for what reads gigabytes

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, items))
