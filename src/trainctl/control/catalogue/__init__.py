"""List checkpoints: of a path; of a run, with what is kept of it; of a store."""

from __future__ import annotations

from collections.abc import Callable

from trainctl.control.catalogue.rows import Listing, Wanted
from trainctl.control.checkpoints import PATH, RUN, Ground, Target


def of(
    where: Ground, target: Target, wanted: Wanted, now: float, progress: Callable[[int], None]
) -> Listing:
    """The checkpoints that a word on the command line means, in the order that is wanted.

    now: seconds since the epoch. progress is told of each that was looked at: 1.
    """
    if target.kind == PATH:
        from trainctl.control.catalogue import paths

        return paths.of_path(where, target.path, wanted, now, progress)
    if target.kind == RUN:
        from trainctl.control.catalogue import runs

        return runs.of_run(where, target.run, wanted, now, progress)
    from trainctl.control.catalogue import shelves

    return shelves.of_url(where, target.path, wanted, progress)
