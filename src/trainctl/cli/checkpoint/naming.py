"""How checkpoints of a list are called, so that what is read can be typed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from trainctl.cli import output, stand
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.control.checkpoints import Target


class Place(NamedTuple):
    """One checkpoint. name: as a list calls it below the folder or store that is listed."""

    name: str
    path: str


def names(target: Target, places: Sequence[Place]) -> list[str]:
    """A name each, for a column. Where it is not all that has to be typed, a line says the rest.

    Those of a run are paths from here, or bare names where all lie in one folder elsewhere.
    """
    if not places:
        return []
    if target.kind == "url":
        return _in_store(places)
    if target.kind == "path":
        return [place.name for place in places]
    folders = {os.path.dirname(place.path) for place in places}
    near = [stand.near(place.path) for place in places]
    if len(folders) > 1 or any(
        text != output.home_short(place.path) for text, place in zip(near, places, strict=True)
    ):
        return near
    first = os.path.basename(places[0].path)
    _say(
        f"of run {target.text}, in {output.home_short(folders.pop())}",
        near[0] if _is_stored(places[0].path) else f"{target.text}/{first}",
    )
    return [os.path.basename(place.path) for place in places]


def _is_stored(path: str) -> bool:
    """Whether it is a checkpoint's place in a store: those are known by their whole names only."""
    from trainctl.kit.stores import layout

    return layout.is_key("/".join(path.split("/")[-3:]))


def _in_store(places: Sequence[Place]) -> list[str]:
    """Below the folder of the store that all these names begin in."""
    first = places[0]
    whole = stand.near(first.path)
    above = whole.removesuffix(first.name).rstrip("/")
    if above == whole or not above:
        return [stand.near(place.path) for place in places]
    _say(f"in {above}", whole)
    return [place.name for place in places]


def _say(where: str, typed: str) -> None:
    output.note(f"checkpoints {neutralise(where)}")
    output.note(f"  to name one: trainctl checkpoint info {neutralise(shlex.quote(typed))}")
