"""The checkpoints of one run, newest first, and the attempts in whose life each was written."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from trainctl.kit import checkpoints, events, files, manifest
from trainctl.kit.checkpoints import Found
from trainctl.kit.names import Home, RunFolder

BEST = re.compile(r"(?:^|[^a-z])best(?:[^a-z]|$)", re.IGNORECASE)
_STAMP_SECONDS = 0.05  # the kernel stamps files by a coarser clock than ours

Noted = Dict[Tuple[str, float, int], int]  # path, mtime and size: the attempt that wrote it


class Life(NamedTuple):
    """When an attempt could write. Seconds since the epoch; end: infinite while nobody saw it."""

    attempt: int
    start: float
    end: float


class Candidate(NamedTuple):
    """attempt: 0 where nobody knows. kept: a copy of ours. best: named so by its script."""

    found: Found
    attempt: int
    step: Optional[int]
    kept: bool = False
    best: bool = False

    @property
    def path(self) -> str:
        return self.found.path


def home_of(run: RunFolder) -> Home:
    return Home(os.path.dirname(os.path.dirname(run.path)))


def of_run(run: RunFolder, job: Mapping[str, Any]) -> List[Candidate]:
    """What this run has written and what we keep of it, the newest first.

    By attempt, step, time; a step that nobody tells is that of what was written just before. What
    is named the best comes last: it is seldom the newest. Reads names, and manifests where the
    names do not tell.
    """
    there = checkpoints.scan(job["checkpoint_dirs"], since=float(job["created"]) - 1)
    copies = checkpoints.scan([run.kept])
    noted, lives = _noted(run), lives_of(run)
    found = [_candidate(run, item, noted, lives) for item in there]
    found += [_candidate(run, item, noted, lives, kept=True) for item in copies]
    return _newest_first(found)


def at(path: str) -> Optional[Candidate]:
    """The checkpoint at this path, whoever wrote it; None where there is none."""
    found = checkpoints.look(path)
    return None if found is None else Candidate(found, 0, found.step)


def lives_of(run: RunFolder) -> List[Life]:
    """The lives of its attempts, oldest first."""
    lives: List[Life] = []
    for number in run.attempts():
        attempt = run.attempt(number)
        started = (files.read_json(attempt.pid) or {}).get("started")
        if started is not None:
            start = float(started) - _STAMP_SECONDS
            lives.append(Life(number, start, _written(attempt.exit) + _STAMP_SECONDS))
    return lives


def is_in(lives: Iterable[Life], mtime: float) -> bool:
    """Whether a trainer of these may have written what bears this time."""
    return any(life.start <= mtime <= life.end for life in lives)


def _written(path: str) -> float:
    """The waiter writes how an attempt ended once nothing of it lives any more."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return float("inf")


def _noted(run: RunFolder) -> Noted:
    """What agents saw complete."""
    noted: Noted = {}
    for number in run.attempts():
        for record in events.read(run.attempt(number).checkpoints).records:
            if record["event"] != "checkpoint":
                continue
            try:
                key = (str(record["path"]), float(record["mtime"]), int(record["size"]))
            except (KeyError, TypeError, ValueError):
                continue
            noted[key] = number
    return noted


def _candidate(
    run: RunFolder, found: Found, noted: Noted, lives: List[Life], *, kept: bool = False
) -> Candidate:
    attempt = noted.get((found.path, found.mtime, found.size))
    step = found.step
    if attempt is None or step is None:
        filed = manifest.read(home_of(run).manifests, found.path)
        if filed is not None and (kept or manifest.stands(filed, found.path)):
            attempt = filed.about.attempt if attempt is None else attempt
            step = filed.about.step if step is None else step
    if attempt is None:
        begun = [life.attempt for life in lives if life.start <= found.mtime]
        attempt = begun[-1] if begun else 0
    best = BEST.search(os.path.basename(found.path)) is not None
    return Candidate(found, attempt, step, kept, best)


def _newest_first(found: List[Candidate]) -> List[Candidate]:
    reached: Dict[int, int] = {}  # by each attempt, so far
    keyed: List[Tuple[Tuple[bool, int, int, bool, float], Candidate]] = []
    for one in sorted(found, key=lambda one: one.found.mtime):
        before = reached.get(one.attempt, -1)
        step = before if one.step is None else one.step
        if not one.best:
            reached[one.attempt] = max(before, step)
        keyed.append(((not one.best, one.attempt, step, not one.kept, one.found.mtime), one))
    keyed.sort(key=lambda pair: pair[0], reverse=True)
    return [one for _, one in keyed]
