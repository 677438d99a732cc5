"""The checkpoints of one run, newest first, and the attempts in whose life each was written."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from trainctl.kit import checkpoints, events, files, manifest
from trainctl.kit.checkpoints import Found
from trainctl.kit.manifest import Manifest
from trainctl.kit.names import AttemptFolder, Home, RunFolder

BEST = re.compile(r"(?:^|[^a-z])best(?:[^a-z]|$)", re.IGNORECASE)
_STAMP_SECONDS = 0.05  # the kernel stamps files by a coarser clock than ours
_SAMPLE_SECONDS = 60.0  # between two signs of life of an attempt, at the very most


class Noted(NamedTuple):
    """What agents of this run saw complete, each with the attempt that wrote it.

    contents: by path, mtime and size. sizes: by path and size.
    """

    contents: Dict[Tuple[str, float, int], int]
    sizes: Dict[Tuple[str, int], int]
    paths: FrozenSet[str]


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
    is named the best comes last: it is seldom the newest. Others may write into the same folders,
    so what neither a manifest, nor the run's record, nor its time makes ours is left out.
    """
    there = checkpoints.scan(job["checkpoint_dirs"], since=float(job["created"]) - 1)
    copies = checkpoints.scan([run.kept])
    noted, lives = _noted(run), lives_of(run)
    manifests = home_of(run).manifests
    found: List[Candidate] = []
    for item in there:
        filed = manifest.read(manifests, item.path)
        if _is_own(run, item, filed, noted, lives):
            found.append(_candidate(item, filed, noted, lives))
    for item in copies:
        filed = manifest.read(manifests, item.path)
        found.append(_candidate(item, filed, noted, lives, kept=True))
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
            lives.append(Life(number, start, _end(attempt) + _STAMP_SECONDS))
    return lives


def is_in(lives: Iterable[Life], mtime: float) -> bool:
    """Whether a trainer of these may have written what bears this time."""
    return any(life.start <= mtime <= life.end for life in lives)


def _end(attempt: AttemptFolder) -> float:
    """The waiter writes how an attempt ended once nothing of it lives any more.

    Where the machine went down it is written whenever somebody looks next.
    """
    try:
        written = os.stat(attempt.exit).st_mtime
    except OSError:
        return float("inf")
    record = files.read_json(attempt.exit) or {}
    if record.get("reason") == "host_lost" and "ended" in record:
        return min(written, float(record["ended"]) + _SAMPLE_SECONDS)
    return written


def _noted(run: RunFolder) -> Noted:
    contents: Dict[Tuple[str, float, int], int] = {}
    for number in run.attempts():
        for record in events.read(run.attempt(number).checkpoints).records:
            if record["event"] != "checkpoint":
                continue
            try:
                key = (str(record["path"]), float(record["mtime"]), int(record["size"]))
            except (KeyError, TypeError, ValueError):
                continue
            contents[key] = number
    sizes = {(path, size): number for (path, _, size), number in contents.items()}
    return Noted(contents, sizes, frozenset(path for path, _, _ in contents))


def _is_own(
    run: RunFolder, found: Found, filed: Optional[Manifest], noted: Noted, lives: List[Life]
) -> bool:
    """Whether this run wrote it, and not another into the same folder."""
    by = filed.about.run if filed is not None else None
    if by == run.name:
        return True
    is_noted = (found.path, found.mtime, found.size) in noted.contents
    if filed is None or by is None:
        within = found.path.startswith(run.path + os.sep)
        return is_noted or within or found.path in noted.paths or is_in(lives, found.mtime)
    if is_noted:  # the other's manifest may be of what stood there before
        return not manifest.stands(filed, found.path)
    changed = found.path in noted.paths or found.size != filed.size
    return changed and is_in(lives, found.mtime) and not manifest.stands(filed, found.path)


def _candidate(
    found: Found,
    filed: Optional[Manifest],
    noted: Noted,
    lives: List[Life],
    *,
    kept: bool = False,
) -> Candidate:
    attempt = noted.contents.get((found.path, found.mtime, found.size))
    step = found.step
    is_told = attempt is not None and step is not None
    if not is_told and filed is not None and (kept or manifest.stands(filed, found.path)):
        attempt = filed.about.attempt if attempt is None else attempt
        step = filed.about.step if step is None else step
    if attempt is None and not is_in(lives, found.mtime):
        attempt = noted.sizes.get((found.path, found.size))
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
