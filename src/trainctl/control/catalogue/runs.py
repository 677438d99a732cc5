"""The checkpoints of a run: those it wrote, the copies that are kept, those in its store."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from trainctl.checkpoints import catalogue
from trainctl.checkpoints.cache import Cache
from trainctl.checkpoints.looking import VERIFIED, Facts, Look, Looker
from trainctl.control.catalogue.rows import (
    BOTH,
    HERE,
    KEPT,
    STORE,
    Listing,
    Shown,
    Wanted,
    looks,
    ranked,
)
from trainctl.control.checkpoints import Ground
from trainctl.kit import candidates
from trainctl.kit.candidates import Candidate
from trainctl.kit.names import RunFolder
from trainctl.records import job as jobs
from trainctl.records import record
from trainctl.records.job import Job


def of_run(
    where: Ground, run: RunFolder, wanted: Wanted, now: float, progress: Callable[[int], None]
) -> Listing:
    """By attempt and step, the newest first. What is in its store is told as it was recorded."""
    job = jobs.read(run)
    cache = Cache(where.home.catalogue, now)
    found = _sorted(candidates.of_run(run, job.to_json()), wanted)
    by_path = {one.path: one for one in found}
    places = ((one.path, catalogue.mark_of(os.path.dirname(one.path))) for one in found)
    there = looks(Looker(where.home, cache, now), places, wanted.looks, progress)
    pushed = _pushed(run)
    shown = [_shown(by_path[look.path], look, run, job, pushed) for look in there]
    here = {str(by_path[path].found.path) for path in by_path}
    away = [_away(event, job) for event in pushed.values() if event["path"] not in here]
    away.sort(key=lambda one: (one.attempt or 0, one.look.facts.step or 0), reverse=True)
    notes = _notes(job, run) if pushed else []
    return Listing(ranked([*shown, *away], wanted), len(found) + len(away), notes)


def _sorted(found: list[Candidate], wanted: Wanted) -> list[Candidate]:
    match wanted.sort:
        case "age":
            return sorted(found, key=lambda one: -one.found.mtime)
        case "size":
            return sorted(found, key=lambda one: -one.found.size)
        case "name":
            return sorted(found, key=lambda one: one.path)
        case _:
            return found


def _pushed(run: RunFolder) -> dict[str, dict[str, Any]]:
    """What was pushed and not pruned since, by the ids of its content, as recorded."""
    there: dict[str, dict[str, Any]] = {}
    for attempt in record.read(run).attempts:
        seen = {str(one.get("id")): one for one in attempt.saved if one["event"] == "verified"}
        for event in attempt.saved:
            content = str(event.get("id"))
            if event["event"] == "pushed":
                told = {**seen.get(content, {}), **event, "attempt": attempt.number}
                there[content] = told
            elif event["event"] == "pruned" and "key" in event:
                there.pop(content, None)
    return there


def _shown(
    one: Candidate, look: Look, run: RunFolder, job: Job, pushed: dict[str, dict[str, Any]]
) -> Shown:
    from trainctl.kit import manifest

    name = os.path.relpath(one.path, run.path if one.kept else job.cwd)
    facts = look.facts if look.facts.step is not None else look.facts._replace(step=one.step)
    where = KEPT if one.kept else HERE
    if pushed and look.verified == VERIFIED:
        filed = manifest.read(candidates.home_of(run).manifests, one.path)
        where = BOTH if filed is not None and filed.id in pushed else where
    return Shown(
        one.path if name.startswith("..") else name,
        where,
        look._replace(facts=facts),
        one.attempt or None,
    )


def _away(event: dict[str, Any], job: Job) -> Shown:
    """One that is in the store only."""
    facts = Facts("", "", event.get("step"), None, None, {}, None, "")
    url = f"{(job.store or {}).get('url', '').rstrip('/')}/{event['key']}"
    look = Look(
        url, facts, int(event.get("size", 0)), float(event["at"]), 0, VERIFIED, pinned=False
    )
    return Shown(str(event["key"]), STORE, look, event["attempt"])


def _notes(job: Job, run: RunFolder) -> list[str]:
    url = (job.store or {}).get("url", "").rstrip("/")
    return [f"the store as recorded; to ask it: trainctl checkpoint list {url}/runs/{run.name}"]
