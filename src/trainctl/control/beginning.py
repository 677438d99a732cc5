"""What the first attempt of a run begins with: a checkpoint at a path, of a run, in a store."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from trainctl.control import lookup
from trainctl.control.wiring import Here
from trainctl.errors import NotFoundError
from trainctl.kit.names import RunFolder

if TYPE_CHECKING:  # each run starts through here, few with a checkpoint
    from trainctl.kit.hashing import Pace
    from trainctl.kit.manifest import About, Manifest

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
    """What `--resume` means: `auto`, `never`, a path, a run, or the URL of a store.

    "Latest" is resolved now. Raises NotFoundError where there is none, RefusedError where it does
    not hold.
    """
    if asked in _MODES:
        return Beginning()
    text = asked.removeprefix("file://")
    path = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(text)))
    if "://" in text or _is_shelved(asked, path):
        from trainctl.control import fetching  # a client of stores, for hardly any run

        afar = fetching.find(here, asked, pace)
        begun = Beginning(os.path.join(run.begun, afar.name), afar.fetch)
        return begun if afar.manifest is None else begun.made_as(afar.manifest)
    if os.path.lexists(path):
        from trainctl.control import picking

        picking.at(here, path, asked, pace)
        return _at(here, path)
    return _newest_of(here, asked, pace)


def _is_shelved(asked: str, path: str) -> bool:
    """Whether this is a checkpoint in a store that is a folder, or in the user's own store."""
    match = _SHELF.match(path)
    if match is None:
        return False
    if match[1] is None:  # a run's folder: of a store only where that is said
        return asked.startswith("file://")
    return not os.path.lexists(path) or os.path.isfile(os.path.join(path, "manifest.json"))


def _newest_of(here: Here, asked: str, pace: Pace | None) -> Beginning:
    from trainctl.control import picking
    from trainctl.kit import process
    from trainctl.records import job as jobs

    try:
        other = lookup.find(here, asked)
    except NotFoundError:
        other = None
    if other is None or not asked:
        raise NotFoundError(
            f"--resume {asked}: there is no such checkpoint",
            hint="--resume takes auto, never, or a checkpoint's path or URL, or a run's name",
        )
    choice = picking.newest(
        here, other, jobs.read(other), pace, writers_alive=bool(process.marked(other.path))
    )
    passed = tuple(f"passed over: {one.path}: {one.why}" for one in choice.passed)
    return _at(here, str(choice.path))._replace(passed=passed)


def _at(here: Here, path: str) -> Beginning:
    from trainctl.kit import manifest

    filed = manifest.read(here.home.manifests, path)
    return Beginning(path) if filed is None else Beginning(path).made_as(filed)
