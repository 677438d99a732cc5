"""What a list of checkpoints is asked for, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trainctl.checkpoints.catalogue import Mark
from trainctl.checkpoints.looking import Look, Looker
from trainctl.checkpoints.ordering import Metric

HERE, KEPT, STORE, BOTH = "here", "kept", "store", "both"


class Wanted(NamedTuple):
    """limit: None is all of them. best: rank by this metric, instead of `sort`."""

    sort: str = "step"
    best: Metric | None = None
    limit: int | None = 20
    recursive: bool = False

    @property
    def looks(self) -> int | None:
        """How many have to be looked at: all of them, where what is read decides."""
        return None if self.best else self.limit


class Shown(NamedTuple):
    """name: as a person tells it from the others of the list. attempt: None where unknown."""

    name: str
    where: str
    look: Look
    attempt: int | None = None


class Listing(NamedTuple):
    """total: how many there are, shown or not. notes: what a person should know of it."""

    shown: list[Shown]
    total: int
    notes: list[str]


Place = tuple[str, Mark]  # a checkpoint's path, and its folder's mark


def looks(
    looker: Looker, places: Iterable[Place], limit: int | None, progress: Callable[[int], None]
) -> list[Look]:
    """So many looks at most; what is gone by now is passed over."""
    found: list[Look] = []
    for path, mark in places:
        if len(found) == limit:
            break
        try:
            found.append(looker.look(path, mark))
        except (
            FileNotFoundError,
            NotADirectoryError,
        ):  # a trainer that keeps the last few prunes as we look
            continue
        progress(1)
    looker.keep()
    return found


def ranked(found: list[Shown], wanted: Wanted) -> list[Shown]:
    """The best first where that is asked; by age, the exact one of what is shown."""
    best = wanted.best
    if best is not None:
        found.sort(key=lambda one: best.rank(measured(one.look, best.name)))
    elif wanted.sort == "age":
        found.sort(key=lambda one: -one.look.mtime)
    return found[: wanted.limit]


def measured(look: Look, name: str) -> float | None:
    """What a checkpoint says of this metric."""
    facts = look.facts
    if name in facts.metrics:
        return facts.metrics[name]
    if facts.best and facts.best[0] == name:
        return float(facts.best[1])
    return facts.loss if name == "loss" else None
