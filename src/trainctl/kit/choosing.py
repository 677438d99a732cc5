"""The one rule for what a run goes on from: its newest checkpoint that holds.

Controllers resume by it, and agents retry by it. A checkpoint holds when its structure closes and
every byte is as its manifest says; where there is no manifest, when its format's own checksums
say so too. Nothing at or after the first loss that was no number is chosen.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from trainctl.kit import candidates, closing, completeness, diverging, manifest
from trainctl.kit.candidates import Candidate, Life
from trainctl.kit.checkpoints import Found
from trainctl.kit.manifest import Damage, Each, Manifest, Pace
from trainctl.kit.names import RunFolder

Look = Callable[[str], Sequence[str]]  # what a format's own checksums find wrong at this path
_SHOWN = 3  # damages that one sentence tells


class OverdueError(Exception):
    """Raised by a pace that has no more time for hashing."""


class Held(NamedTuple):
    """why: what is wrong, as a clause; None where nothing is. verified: every byte was hashed."""

    why: Optional[str] = None
    verified: bool = False


class Passed(NamedTuple):
    """One that was not taken, and why: a clause that begins with a verb."""

    candidate: Candidate
    why: str

    @property
    def path(self) -> str:
        return self.candidate.path

    def to_json(self) -> Dict[str, Any]:
        return {"path": self.path, "step": self.candidate.step, "why": self.why}


class Choice(NamedTuple):
    """The checkpoint to go on from, None where none holds; and the newer ones, newest first."""

    candidate: Optional[Candidate]
    verified: bool
    passed: List[Passed]

    @property
    def path(self) -> Optional[str]:
        return None if self.candidate is None else self.candidate.path


class Checker(NamedTuple):
    """How thoroughly to look. manifests: the folder where they are filed.

    lives: those of the attempts that may have rewritten a checkpoint since it was hashed. look:
    for what has no manifest. pace: told of every chunk that was read; may raise OverdueError.
    each: how to go through files, as `map` does.
    """

    manifests: str
    lives: Sequence[Life] = ()
    writers_alive: bool = False
    look: Optional[Look] = None
    pace: Optional[Pace] = None
    each: Each = map

    def held(self, found: Found) -> Held:
        """Whether this checkpoint can be relied upon."""
        why = completeness.incompleteness(found, writers_alive=self.writers_alive)
        if why is not None:
            return Held(why)
        filed = manifest.read(self.manifests, found.path)
        if filed is None:
            return self._looked(found)
        try:
            damages = _of_what_was_hashed(filed, found.path, self)
        except OverdueError:
            stands = manifest.stands(filed, found.path)
            return Held(None if stands else "could not be checked in the time there was")
        except OSError as error:
            return Held(f"cannot be read: {error.strerror or error}")
        if not damages:
            return Held(verified=True)
        if not candidates.is_in(self.lives, found.mtime) or manifest.stands(filed, found.path):
            return Held(told(damages))
        shrunk = _shrunk(filed, found)  # else its own trainer has written it anew since
        return self._looked(found) if shrunk is None else Held(shrunk)

    def _looked(self, found: Found) -> Held:
        findings = self.look(found.path) if self.look is not None else ()
        return Held("; ".join(list(findings)[:_SHOWN]) if findings else None)


def _of_what_was_hashed(filed: Manifest, path: str, checker: Checker) -> List[Damage]:
    """A file that somebody laid beside the others since does not keep them from being loaded."""
    known = {record.path for record in filed.files} | {""}
    found = manifest.check(filed, path, checker.pace, checker.each)
    return [damage for damage in found if damage.file in known]


def choose(run: RunFolder, job: Mapping[str, Any], checker: Checker) -> Choice:
    """The newest checkpoint of this run that holds, and why those newer than it do not."""
    checker = checker._replace(lives=candidates.lives_of(run))
    diverged: Dict[int, Optional[diverging.Diverged]] = {}
    passed: List[Passed] = []
    for one in candidates.of_run(run, job):
        try:
            if one.attempt not in diverged:
                diverged[one.attempt] = diverging.in_attempt(run, one.attempt)
            why = _after_divergence(one, diverged[one.attempt], checker.manifests)
            held = Held(why) if why is not None else checker.held(one.found)
        except Exception as error:  # noqa: BLE001  # an older one may do; this one keeps nobody
            held = Held(f"could not be judged ({type(error).__name__}: {error})")
        if held.why is None:
            return Choice(one, held.verified, passed)
        passed.append(Passed(one, held.why))
    return Choice(None, False, passed)


def divergence(run: RunFolder, one: Candidate, manifests: str) -> Optional[str]:
    """Why it is of no use although it is whole: its loss, as a clause; None where it is of use."""
    return _after_divergence(one, diverging.in_attempt(run, one.attempt), manifests)


def _after_divergence(
    one: Candidate, seen: Optional[diverging.Diverged], manifests: str
) -> Optional[str]:
    if seen is None or (one.step is not None and one.step < seen.step):
        filed = manifest.read(manifests, one.path)
        seen = diverging.in_checkpoint(one.path, filed.about if filed is not None else None)
    if seen is None or (one.step is not None and one.step < seen.step):
        return None
    return f"was saved after {seen.name} had become {seen.value} at step {seen.step}"


def told(damages: Sequence[Damage]) -> str:
    """Damages as one clause."""
    some = [_told(damage) for damage in damages[:_SHOWN]]
    more = len(damages) - len(some)
    return "; ".join(some) + (f"; and {more} more" if more else "")


def _told(damage: Damage) -> str:
    where = f" in bytes {damage.start} to {damage.end}" if damage.start is not None else ""
    return f"{damage.file} {damage.what}{where}".lstrip()


def _shrunk(filed: Manifest, found: Found) -> Optional[str]:
    """What was rewritten and is smaller now may be cut off, where its structure cannot tell."""
    for record in filed.files:
        path = os.path.join(found.path, record.path) if record.path else found.path
        try:
            size = os.stat(path).st_size
        except OSError:
            return f"{record.path} is missing".lstrip()
        if size < record.size and closing.flaw(path) is not None:
            return f"{record.path} has {size} bytes, and had {record.size}".lstrip()
    return None
