"""Compare two checkpoints, wherever each of them lies."""

from __future__ import annotations

from typing import NamedTuple

from trainctl.checkpoints import content, diff
from trainctl.checkpoints.diff import Difference
from trainctl.control import inspecting
from trainctl.control.checkpoints import PATH, Ground
from trainctl.kit.hashing import Pace


class Compared(NamedTuple):
    """is_same: whether every byte is equal; None where that was not asked.

    differing: the tensors that hold other values, and incomparable: those of which the format
    does not tell where they lie; None and nothing where values were not asked for.
    """

    difference: Difference
    is_same: bool | None
    differing: list[str] | None
    incomparable: list[str]


def compare(where: Ground, before: str, after: str, *, values: bool, pace: Pace) -> Compared:
    """values: read every tensor that both have alike. pace is told of bytes read."""
    with (
        inspecting.opened(where, before) as (one, source),
        inspecting.opened(where, after) as (other, other_source),
    ):
        had, _ = inspecting.inspect(one, source)
        has, _ = inspecting.inspect(other, other_source)
        difference = diff.compare(had, has)
        is_same = None
        if difference.is_alike and one.kind == other.kind == PATH:
            is_same = content.same(one.path, other.path, where.home.manifests, pace)
        if not values or is_same:
            return Compared(difference, is_same, [] if values else None, [])
        differ, unknown = content.differing(difference.common, source, other_source, pace)
    return Compared(difference, is_same, differ, unknown)
