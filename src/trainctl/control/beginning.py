"""What the first attempt of a run begins with: a checkpoint at a path, of a run, in a store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from trainctl.control import checkpoints, lookup
from trainctl.control.wiring import Here
from trainctl.errors import CredentialsError, NotFoundError, ProviderError
from trainctl.kit.names import RunFolder

if TYPE_CHECKING:  # each run starts through here, few with a checkpoint
    from trainctl.kit.hashing import Pace
    from trainctl.kit.manifest import About, Manifest
    from trainctl.records.job import Job

_MODES = {"auto", "never"}
_SHELF = re.compile(r"(?:.*/)?runs/[^/]+(/\d+-(?:\d+|x)-[0-9a-f]{12})?$")  # as stores have it


class Beginning(NamedTuple):
    """path: where it lies once the run is started; None: from the beginning.

    fetch: brings it into this folder, where it has to come from a store; about: who made it.
    """

    path: str | None = None
    fetch: Callable[[str], Manifest] | None = None
    about: About | None = None
    id: str | None = None
    passed: tuple[str, ...] = ()

    def words(self, name: str) -> list[str]:
        """What its user should hear of it."""
        if self.path is None:
            return []
        by = f", made by {self.about.run}" if self.about is not None and self.about.run else ""
        return [*self.passed, f"{name} begins with {self.path}{by}"]

    def made_as(self, manifest: Manifest) -> Beginning:
        return self._replace(about=manifest.about, id=manifest.id)

    def to_json(self, asked: str) -> dict[str, Any] | None:
        """What the job records of it."""
        if self.path is None:
            return None
        made: dict[str, Any] = {"asked": asked, "path": self.path, "id": self.id}
        if self.about is not None:
            about = self.about
            made |= {"run": about.run, "attempt": about.attempt, "step": about.step}
        return made


def find(here: Here, asked: str, run: RunFolder, pace: Pace | None = None) -> Beginning:
    """What `--resume` means: `auto`, `never`, a path, a run, RUN/NAME, or a URL.

    "Latest" is resolved now. Raises NotFoundError where there is none, RefusedError where it does
    not hold.
    """
    if asked in _MODES:
        return Beginning()
    text = asked.removeprefix("file://")
    path = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(text)))
    if "://" not in text:
        checkpoints.refuse_unfinished(path)
    if "://" in text or _is_shelved(asked, path):
        from trainctl.control import fetching  # a client of stores, for hardly any run

        afar = fetching.find(here, asked, pace)
        begun = Beginning(os.path.join(run.begun, afar.name), afar.fetch)
        return begun if afar.manifest is None else begun.made_as(afar.manifest)
    if os.path.lexists(path):
        from trainctl.control import picking

        if os.path.isdir(path):
            _refuse_many(path, asked)
        picking.at(here, path, asked, pace)
        return _at(here, path)
    inside = _in_run(here, asked)
    if inside is not None:
        return find(here, inside, run, pace)
    return _newest_of(here, asked, run, pace)


def _in_run(here: Here, asked: str) -> str | None:
    """The path of what `RUN/NAME` or `RUN/STEP` means."""
    return checkpoints.in_run(checkpoints.Ground(here.cwd, here.environ, here.home), asked)


def _refuse_many(path: str, asked: str) -> None:
    """A folder that merely holds checkpoints is none: no script could begin with it."""
    from trainctl.checkpoints.source import LocalSource
    from trainctl.control import inspecting
    from trainctl.control.checkpoints import PATH, Target

    with suppress(OSError), LocalSource(path) as source:  # else it is told when it is hashed
        inspecting.inspect(Target(PATH, asked, path), source)


def _is_shelved(asked: str, path: str) -> bool:
    """Whether this is a checkpoint in a store that is a folder, or in the user's own store."""
    match = _SHELF.match(path)
    if match is None:
        return False
    if match[1] is None:  # a run's folder: of a store only where that is said
        return asked.startswith("file://")
    return not os.path.lexists(path) or os.path.isfile(os.path.join(path, "manifest.json"))


def _newest_of(here: Here, asked: str, run: RunFolder, pace: Pace | None) -> Beginning:
    from trainctl.control import picking
    from trainctl.kit import process
    from trainctl.records import job as jobs

    try:
        other = lookup.find(here, asked)
    except NotFoundError:
        other = None
    if other is None or not asked:
        raise NotFoundError(
            f"there is no checkpoint and no run {asked}",
            hint="a checkpoint is given by its path or URL, or by the run that made it",
        )
    job, alive = jobs.read(other), bool(process.marked(other.path))
    try:
        choice = picking.newest(here, other, job, pace, writers_alive=alive)
    except NotFoundError as error:
        return _stored(here, other, job, run, pace) or _none(other, error)
    passed = tuple(f"passed over: {one.path}: {one.why}" for one in choice.passed)
    return _at(here, str(choice.path))._replace(passed=passed)


def _stored(
    here: Here, other: RunFolder, job: Job, run: RunFolder, pace: Pace | None
) -> Beginning | None:
    """The newest of another run that its store has, where nothing is left of it here."""
    if job.store is None:
        return None
    from trainctl.control import fetching, restoring

    try:
        found = next(restoring.meant(here, other, job, "last"), None)
    except (ProviderError, CredentialsError) as error:
        error.hint = "give a checkpoint's path or URL instead of the run, or try again"
        raise
    if found is None or found.manifest is None:
        return None
    fetch = fetching.afar(here, found, pace).fetch
    told = (f"{other.name} has it no more: it is fetched from {found.url}",)
    begun = Beginning(os.path.join(run.begun, found.name), fetch, passed=told)
    return begun.made_as(found.manifest)


def _none(other: RunFolder, error: NotFoundError) -> NoReturn:
    """In the words of a command that starts another run."""
    _, _, why = error.message.partition(": ")
    raise NotFoundError(
        f"{other.name} has no complete checkpoint to begin with" + (f": {why}" if why else ""),
        hint=f"give a path or a URL; what there is: trainctl checkpoint list {other.name}",
    ) from error


def _at(here: Here, path: str) -> Beginning:
    from trainctl.kit import manifest

    filed = manifest.read(here.home.manifests, path)
    return Beginning(path) if filed is None else Beginning(path).made_as(filed)
