"""Which checkpoints to verify, and each of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainctl.checkpoints import catalogue
from trainctl.checkpoints import verify as verifies
from trainctl.checkpoints.verify import Finding, Verified
from trainctl.control import checkpoints
from trainctl.control.checkpoints import PATH, RUN, Ground, Target
from trainctl.errors import NotFoundError
from trainctl.kit import contents
from trainctl.kit.checkpoints import DEPTH, is_checkpoint_name
from trainctl.kit.hashing import Pace

if TYPE_CHECKING:
    from trainctl.kit.names import RunFolder


def paths(where: Ground, words: Sequence[str]) -> list[str]:
    """The paths and URLs of all checkpoints that these words name, each once.

    Raises NotFoundError where one of them names none.
    """
    found: list[str] = []
    for word in words:
        target = checkpoints.resolve(where, word)
        there = _paths(target)
        if not there:
            raise NotFoundError(
                f"there is no checkpoint in {word!r}", hint=f"trainctl checkpoint list {word}"
            )
        found.extend(there)
    return list(dict.fromkeys(found))


def _paths(target: Target) -> list[str]:
    if target.kind == RUN:
        return _of_run(target.run)
    path = target.path
    is_folder = target.kind == PATH and os.path.isdir(path)
    if not is_folder or is_checkpoint_name(os.path.basename(path), is_dir=True):
        return [path]
    tree = catalogue.walk(path, depth=DEPTH)
    return [entry.path for folder in tree.folders for entry in folder.entries()] or [path]


def _of_run(run: RunFolder) -> list[str]:
    from trainctl.kit import candidates
    from trainctl.records import job as jobs

    return [one.path for one in candidates.of_run(run, jobs.read(run).to_json())]


def size(path: str) -> int:
    """In bytes; 0 where nobody can tell."""
    try:
        return sum(seen.st_size for seen in contents.stats(path).values())
    except OSError:
        return 0


def verify(where: Ground, path: str, *, deep: bool, renew: bool, pace: Pace) -> Verified:
    """One checkpoint; what cannot be read is a finding, not an error."""
    if "://" in path:
        from trainctl.control import shelved

        return shelved.verify(where, path, deep=deep, pace=pace)
    try:
        return verifies.verify(path, where.home.manifests, deep=deep, renew=renew, pace=pace)
    except OSError as error:
        why = f"{error.filename or path} cannot be read: {error.strerror or error}"
        return Verified(path, "", (Finding(why),), ("structure",))
