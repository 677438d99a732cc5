"""Where a checkpoint comes from, and what went on from it.

Costs the same with ten runs and with a hundred thousand: a manifest by its name, a folder of
file names, and for what has no manifest a look into the newest runs only.
"""

from __future__ import annotations

import heapq
import os
from typing import NamedTuple

from trainctl.kit import events, files, heirs, launch, manifest
from trainctl.kit.manifest import About
from trainctl.kit.names import Home, RunFolder

_LOOKED_INTO = 100  # of the newest runs, where no manifest tells
_TOLD = 5  # heirs that one sentence names


class Made(NamedTuple):
    """Who made a checkpoint. there: its run is still recorded here."""

    run: str
    attempt: int | None
    step: int | None
    there: bool


class Heir(NamedTuple):
    """An attempt that went on from it."""

    run: str
    attempt: int


class Lineage(NamedTuple):
    """parent: the checkpoint that the attempt which made this one had gone on from."""

    made: Made | None = None
    parent: str | None = None
    heirs: tuple[Heir, ...] = ()


def of(home: Home, path: str, about: About | None = None) -> Lineage:
    """What is known of the checkpoint at this path. about: its manifest's, where it is at hand."""
    path = os.path.abspath(path)
    if about is None:
        filed = manifest.read(home.manifests, path)
        about = filed.about if filed is not None else None
    made = _made(home, path, about)
    parent = None
    if made is not None and made.attempt is not None and made.there:
        plan = launch.read(home.run(made.run), made.attempt)
        parent = plan.resumed_from if plan is not None else None
    return Lineage(made, parent, tuple(_heirs(home, path)))


def words(found: Lineage, folder: str | None = None) -> list[str]:
    """Sentences for people; paths as seen from this folder."""
    told: list[str] = []
    if found.made is not None:
        by = f"attempt {found.made.attempt} of " if found.made.attempt else ""
        gone = "" if found.made.there else ", which is deleted"
        told.append(f"made by {by}{found.made.run}{gone}")
    if found.parent is not None:
        parent = near(found.parent, folder) if folder is not None else found.parent
        told.append(f"that attempt had gone on from {parent}")
    if found.heirs:
        some = [f"attempt {heir.attempt} of {heir.run}" for heir in found.heirs[-_TOLD:]]
        more = len(found.heirs) - len(some)
        told.append(f"{', '.join(some)}{f' and {more} more' if more else ''} went on from it")
    return told


def near(path: str, folder: str) -> str:
    """A path as a person in this folder would write it."""
    relative = os.path.relpath(path, folder)
    return path if relative.startswith("..") else relative


def _made(home: Home, path: str, about: About | None) -> Made | None:
    if about is not None and about.run is not None:
        there = os.path.isfile(home.run(about.run).job)
        return Made(about.run, about.attempt, about.step, there)
    for run in _may_have_made(home, path):
        for number in reversed(run.attempts()):
            for record in events.read(run.attempt(number).checkpoints).records:
                if record["event"] == "checkpoint" and record.get("path") == path:
                    return Made(run.name, number, record.get("step"), there=True)
    return None


def _may_have_made(home: Home, path: str) -> list[RunFolder]:
    """The run in whose folder it lies; else the newest ones."""
    inside = os.path.relpath(path, home.runs).split(os.sep)
    if inside[0] != "..":
        return [home.run(inside[0])]
    try:
        with os.scandir(home.runs) as entries:
            newest = heapq.nlargest(
                _LOOKED_INTO, ((entry.stat().st_mtime, entry.name) for entry in entries)
            )
    except OSError:
        return []
    return [home.run(name) for _, name in newest]


def _heirs(home: Home, path: str) -> list[Heir]:
    """File names are hints: what their runs say themselves counts."""
    keys = heirs.keys(home, path)
    found: list[Heir] = []
    for name, attempt in heirs.found(home, keys):
        plan = files.read_json(home.run(name).launch(attempt)) or {}
        begun = plan.get("resumed_from")
        if isinstance(begun, str) and set(heirs.keys(home, begun)) & set(keys):
            found.append(Heir(name, attempt))
    return found
