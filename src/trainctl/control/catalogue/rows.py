"""What a list of checkpoints is asked for, and what it is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from trainctl.checkpoints.catalogue import Mark
from trainctl.checkpoints.looking import Look, Looker, leads_nowhere
from trainctl.checkpoints.ordering import Metric
from trainctl.errors import NotFoundError

HERE, KEPT, STORE, BOTH = "here", "kept", "store", "both"
_NAMED = 12  # metrics that a message names


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
    """So many looks at most; what is gone by now is passed over, a link to it is not whole."""
    found: list[Look] = []
    for path, mark in places:
        if len(found) == limit:
            break
        try:
            found.append(looker.look(path, mark))
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.islink(path):  # a trainer that keeps the last few prunes as we look
                continue
            found.append(leads_nowhere(path))
        progress(1)
    looker.keep()
    return found


def ranked(found: list[Shown], wanted: Wanted) -> list[Shown]:
    """The best first where that is asked; by age, the exact one of what is shown.

    Raises NotFoundError where none has the metric that is asked for.
    """
    best = wanted.best
    if best is not None:
        if found and all(measured(one.look, best.name) is None for one in found):
            raise lacking(best.name, (name for one in found for name in _measures(one.look)))
        found.sort(key=lambda one: best.rank(measured(one.look, best.name)))
    elif wanted.sort == "age":
        found.sort(key=lambda one: -one.look.mtime)
    return found[: wanted.limit]


def lacking(metric: str, known: Iterable[str]) -> NotFoundError:
    """What to say where no checkpoint has this metric. known: those that they have."""
    there = list(dict.fromkeys(known))
    text = f"no checkpoint here has {metric}"
    if not there:
        return NotFoundError(f"{text}, nor any other metric", hint="trainctl checkpoint info PATH")
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    close = difflib.get_close_matches(metric, there, 1)
    hint = f"did you mean {close[0]}?" if close else "trainctl checkpoint info PATH"
    return NotFoundError(f"{text}; they have {', '.join(there[:_NAMED])}{more}", hint=hint)


def _measures(look: Look) -> list[str]:
    facts = look.facts
    best = [str(facts.best[0])] if facts.best else []
    return [*facts.metrics, *best, *([] if facts.loss is None else ["loss"])]


def measured(look: Look, name: str) -> float | None:
    """What a checkpoint says of this metric."""
    facts = look.facts
    if name in facts.metrics:
        return facts.metrics[name]
    if facts.best and facts.best[0] == name:
        return float(facts.best[1])
    return facts.loss if name == "loss" else None
