"""What holds a checkpoint on this disk whatever rules say: a pin, a link, who uses it."""

from __future__ import annotations

import os
from typing import Dict, Iterable, List, Sequence, Set

from trainctl.kit import heirs, locks, opened, pins, process
from trainctl.kit.names import Home

Reasons = Dict[str, List[str]]  # by path; none, where nothing holds it


def by_name(home: Home, paths: Sequence[str]) -> Reasons:
    """Pins, and links beside it: removing what they lead to would break them."""
    reasons: Reasons = {path: [] for path in paths}
    links: Dict[str, Dict[str, str]] = {}
    for path in paths:
        if pins.is_pinned(home.pins, path):
            reasons[path].append("pinned")
        if os.path.islink(path):
            reasons[path].append("a link, and not removed through it")
        folder = os.path.dirname(path)
        if folder not in links:
            links[folder] = _links_in(folder)
        name = links[folder].get(os.path.realpath(path))
        if name is not None and name != os.path.basename(path):
            reasons[path].append(f"{name} leads to it")
    return reasons


def by_use(home: Home, paths: Sequence[str]) -> Reasons:
    """Processes that have it open, and living runs that began with it."""
    reasons: Reasons = {path: [] for path in paths}
    if not paths:
        return reasons
    everything = opened.by(process.pids())
    for path in paths:
        if opened.touches(everything, os.path.realpath(path)) is not None:
            reasons[path].append("open in a process")
        living = _living(home, {run for run, _ in heirs.found(home, heirs.keys(home, path))})
        reasons[path] += [f"{run} lives and began with it" for run in living]
    return reasons


def on(home: Home, path: str) -> List[str]:
    """All that holds this one now: to ask right before it is removed, whatever was planned."""
    return by_name(home, [path])[path] + by_use(home, [path])[path]


def _links_in(folder: str) -> Dict[str, str]:
    """The name of a link of this folder by the real path that it leads to."""
    try:
        with os.scandir(folder) as listing:
            names = [entry.name for entry in listing if entry.is_symlink()]
    except OSError:
        return {}
    return {os.path.realpath(os.path.join(folder, name)): name for name in names}


def _living(home: Home, runs: Set[str]) -> Iterable[str]:
    for name in sorted(runs):
        run = home.run(name)
        if os.path.isdir(run.path) and (
            locks.is_taken(run.waiter_lock) or locks.is_taken(run.agent_lock)
        ):
            yield name
