"""What pruning would do: every checkpoint with the reasons why it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trainctl.kit import retention
from trainctl.kit.retention import Kept, Policy


class Judged(NamedTuple):
    """name: as a person tells it from the others. place: its path, or its key in the store.

    No reasons: it would go.
    """

    name: str
    place: str
    kept: Kept
    reasons: list[str]


class HeldError(Exception):
    """What was to go is held by now, and stays. Its text is what holds it."""


class Plan(NamedTuple):
    """judged: all that is there, newest first. of: what was looked at, in words.

    remove: raises HeldError where it is held by now, that is since the plan was made.
    sweep: removes what a killed removal has left.
    """

    of: str
    policy: Policy
    judged: list[Judged]
    remove: Callable[[Judged], None]
    sweep: Callable[[], None]

    @property
    def doomed(self) -> list[Judged]:
        return [one for one in self.judged if not one.reasons]

    @property
    def freed_bytes(self) -> int:
        return sum(one.kept.size for one in self.doomed)


def judged(
    groups: Iterable[list[Kept]], policy: Policy, now: float, name: Callable[[Kept], str]
) -> list[Judged]:
    """Each group by itself: rules count what belongs together."""
    found: list[Judged] = []
    for group in groups:
        reasons = retention.reasons_to_keep(group, policy, now)
        ordered = retention.newest_first(group)
        found += [Judged(name(one), one.key, one, reasons[one.key]) for one in ordered]
    return found
