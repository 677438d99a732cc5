"""Which checkpoints to verify, and each of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainctl.checkpoints import catalogue
from trainctl.checkpoints import verify as verifies
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.source import LocalSource
from trainctl.checkpoints.verify import Finding, Verified
from trainctl.control import checkpoints
from trainctl.control.checkpoints import PATH, RUN, URL, Ground, Target
from trainctl.control.home import open_home
from trainctl.control.inspecting import LOOSE
from trainctl.errors import NotFoundError
from trainctl.kit import contents
from trainctl.kit.checkpoints import DEPTH, is_checkpoint_name
from trainctl.kit.hashing import Pace

if TYPE_CHECKING:
    from trainctl.kit.names import RunFolder


def targets(where: Ground, words: Sequence[str]) -> list[Target]:
    """All checkpoints that these words name, each once; without words, those of the newest run.

    Raises NotFoundError where one of them names none.
    """
    found: dict[str, Target] = {}
    for target in [checkpoints.given(where, word, "verify") for word in words or (None,)]:
        there = _targets(where, target)
        if not there:
            raise NotFoundError(
                f"there is no checkpoint in {target.text}",
                hint=f"trainctl checkpoint list {target.text}",
            )
        found.update((one.path, one) for one in there)
    return [*found.values()]


def _targets(where: Ground, target: Target) -> list[Target]:
    if target.kind == URL:
        from trainctl.control.catalogue import shelves

        urls = shelves.keys_of(where, target.path) or [target.path]
        return [target._replace(path=url) for url in urls]
    paths = _of_run(target.run) if target.kind == RUN else _in(where, target.path)
    return [Target(PATH, path, path) for path in paths]


def _in(where: Ground, path: str) -> list[str]:
    """Those in a folder; itself, where it is one, or was taken for one before."""
    if not os.path.isdir(path) or is_checkpoint_name(os.path.basename(path), is_dir=True):
        return [path]
    tree = catalogue.walk(path, depth=DEPTH)
    found = [entry.path for folder in tree.folders for entry in folder.entries()]
    return found or ([path] if _is_one(where, path) else [])


def _is_one(where: Ground, folder: str) -> bool:
    if os.path.exists(os.path.join(where.home.manifests, f"{contents.key_of(folder)}.json")):
        return True
    try:
        with LocalSource(folder) as source:
            return registry.recognise(source).name not in LOOSE
    except OSError:
        return False


def _of_run(run: RunFolder) -> list[str]:
    from trainctl.kit import candidates
    from trainctl.records import job as jobs

    return [one.path for one in candidates.of_run(run, jobs.read(run).to_json())]


def size(target: Target) -> int:
    """In bytes; 0 where nobody can tell yet."""
    try:
        return sum(seen.st_size for seen in contents.stats(target.path).values())
    except OSError:
        return 0


def verify(where: Ground, target: Target, *, deep: bool, renew: bool, pace: Pace) -> Verified:
    """One checkpoint; what cannot be read is a finding, not an error.

    Raises ConfigError or RefusedError where the state folder cannot take its manifest.
    """
    path = target.path
    if target.kind == URL:
        from trainctl.control import shelved

        return shelved.verify(where, path, deep=deep, pace=pace)
    open_home(where.home.path)
    try:
        return verifies.verify(path, where.home.manifests, deep=deep, renew=renew, pace=pace)
    except OSError as error:
        why = f"{error.filename or path} cannot be read: {error.strerror or error}"
        return Verified(path, "", (Finding(why),), ("structure",))
