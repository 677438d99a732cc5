"""Prune on this disk: a folder that trainctl may never have seen, or what a run has written."""

from __future__ import annotations

import os

from trainctl.checkpoints.looking import VERIFIED
from trainctl.control import catalogue
from trainctl.control.catalogue.rows import KEPT, STORE, Shown, Wanted
from trainctl.control.checkpoints import PATH, RUN, Ground, Target
from trainctl.control.pruning.plan import HeldError, Judged, Plan, judged
from trainctl.errors import UsageError
from trainctl.kit import checkpoints, diverging, guards, locks, manifest, removing, retention
from trainctl.kit.checkpoints import Found
from trainctl.kit.names import Home, RunFolder
from trainctl.kit.retention import Kept, Policy


def of_path(where: Ground, path: str, policy: Policy, now: float) -> Plan:
    """The checkpoints in this folder and those below it, each folder's by themselves.

    Raises UsageError for a path that is a checkpoint itself.
    """
    shown = _listed(where, Target(PATH, path, path), now)
    if any(one.look.path == path for one in shown):
        raise UsageError(
            f"{path} is itself a checkpoint; rules choose among those of a folder",
            hint=f"trainctl checkpoint prune {os.path.dirname(path)}",
        )
    groups: dict[str, list[Shown]] = {}
    for one in shown:
        groups.setdefault(os.path.dirname(one.look.path), []).append(one)
    return _Disk(where.home).plan(path, [*groups.values()], policy, now)


def of_run(where: Ground, run: RunFolder, policy: Policy, now: float) -> Plan:
    """What this run has written, and the copies that are kept of it; its store is left alone."""
    shown = _listed(where, Target(RUN, run.name, run.path), now)
    there = [one for one in shown if one.where != STORE]
    return _Disk(where.home).plan(run.name, [there], policy, now)


def _listed(where: Ground, target: Target, now: float) -> list[Shown]:
    return catalogue.of(where, target, Wanted(limit=None), now, lambda _: None).shown


class _Disk:
    """What is known of the checkpoints of this disk, found out once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen: dict[str, Found] = {}
        self._copies: set[str] = set()  # those that an agent has kept
        self._nan_from: dict[tuple[str, int], int | None] = {}

    def plan(self, of: str, groups: list[list[Shown]], policy: Policy, now: float) -> Plan:
        everything = [one for group in groups for one in group]
        names = {one.look.path: one.name for one in everything}
        self._copies = {one.look.path for one in everything if one.where == KEPT}
        held = self._held(list(names))
        kept = [self._group(group, held) for group in groups]
        found = judged(kept, policy, now, lambda one: names[one.key])
        return Plan(of, policy, found, self._remove, self._sweep)

    def _held(self, paths: list[str]) -> guards.Reasons:
        named, used = guards.by_name(self._home, paths), guards.by_use(self._home, paths)
        return {path: named[path] + used[path] for path in paths}

    def _group(self, group: list[Shown], held: guards.Reasons) -> list[Kept]:
        kept: list[Kept] = []
        for shown in group:
            path = shown.look.path
            found = checkpoints.look(path)
            if found is not None:  # else it is gone by now
                self._seen[path] = found
                kept.append(self._kept(shown, found, held[path]))
        return kept

    def _kept(self, shown: Shown, found: Found, held: list[str]) -> Kept:
        look, facts = shown.look, shown.look.facts
        reasons = list(held)
        if facts.incomplete:
            reasons.append(f"not whole, so not known: {facts.incomplete}")
        if shown.where == KEPT and self._is_watched(found.path):
            reasons.append("kept by the agent, which lives")
        if shown.where != KEPT and found.step is None:
            reasons.append(retention.NAMELESS)
        filed = manifest.read(self._home.manifests, found.path)
        about = filed.about if filed is not None else manifest.About()
        step = facts.step if facts.step is not None else about.step
        attempt = shown.attempt if shown.attempt is not None else about.attempt
        loss = {} if facts.loss is None else {"loss": facts.loss}
        metrics = {**loss, **facts.metrics, **about.metrics}
        since = self._first_nan(about.run, attempt)
        return Kept(
            key=found.path,
            made=found.mtime,
            size=found.size,
            step=step,
            attempt=attempt,
            metrics=metrics,
            content=filed.id if filed is not None and look.verified == VERIFIED else None,
            verified=look.verified == VERIFIED,
            diverged=retention.has_diverged(metrics, step, since),
            copy=shown.where == KEPT or found.step is None,
            held=reasons,
        )

    def _is_watched(self, path: str) -> bool:
        """Whether the run that this copy belongs to has a living agent."""
        inside = os.path.relpath(path, self._home.runs)
        return locks.is_taken(self._home.run(inside.split(os.sep)[0]).agent_lock)

    def _first_nan(self, run: str | None, attempt: int | None) -> int | None:
        """The step from which on the loss of this attempt is no number."""
        if run is None or attempt is None:
            return None
        if (run, attempt) not in self._nan_from:
            seen = diverging.in_attempt(self._home.run(run), attempt)
            self._nan_from[run, attempt] = seen.step if seen is not None else None
        return self._nan_from[run, attempt]

    def _remove(self, one: Judged) -> None:
        held = guards.on(self._home, one.place)
        if held:
            raise HeldError("; ".join(held))
        removing.remove(self._home.manifests, self._seen[one.place])
        if one.place in self._copies:
            removing.clear(os.path.dirname(one.place))

    def _sweep(self) -> None:
        for folder in {os.path.dirname(path) for path in self._seen}:
            removing.sweep(folder)
