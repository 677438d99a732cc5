"""Make way for what a run goes on from, where its script finds the newest checkpoint by itself.

A framework's own "latest" takes the highest number or the newest file, whole or not. So what was
passed over is renamed within its folder, to a name that neither frameworks nor we take for a
checkpoint. Nothing is ever removed.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set

from trainctl.kit import candidates, checkpoints, events, files, manifest, pins
from trainctl.kit.candidates import Candidate
from trainctl.kit.choosing import Choice
from trainctl.kit.completeness import SETTLE_SECONDS
from trainctl.kit.names import RunFolder
from trainctl.kit.resume_args import CHECKPOINT

SUFFIX = ".set-aside"
_TRACKERS = ("latest_checkpointed_iteration.txt", "latest", "last_checkpoint")
_TRACKER_BYTES = 4096
_MEGATRON = re.compile(r"iter_\d+$")  # its tracker holds the bare number


class Way(NamedTuple):
    """path: what the attempt goes on from. told: what was done for it, each a sentence."""

    path: Optional[str]
    told: List[str]


def finds_by_itself(resume: Mapping[str, Any]) -> bool:
    """Whether the script of a job with these resume settings is told no path."""
    args = [str(word) for word in resume.get("args", ())]
    if _names_path(args):
        return False
    return bool(args) or bool(resume.get("finds"))


def looks_for(resume: Mapping[str, Any], path: str) -> bool:
    """Whether that script is told no path, and calls this checkpoint by its name."""
    if _names_path([str(word) for word in resume.get("args", ())]):
        return False
    return os.path.basename(path) in resume.get("names", ())


def _names_path(args: Iterable[str]) -> bool:
    return any(CHECKPOINT in word for word in args)


def make(run: RunFolder, resume: Mapping[str, Any], choice: Choice) -> Way:
    """Leave nothing newer where this script would find it; doing it twice is doing it once.

    Only while nothing of the run lives. Raises OSError, with all that was moved still there.
    """
    passed = [one.candidate for one in choice.passed if not one.candidate.kept]
    if not finds_by_itself(resume):
        return _by_name(
            run, resume, choice, [one for one in passed if looks_for(resume, one.path)]
        )
    told = [_set_aside(run, one, choice.path) for one in passed]
    path, chosen = choice.path, choice.candidate
    if chosen is not None and chosen.kept:
        path = _restored(run, chosen.path)
        if path != chosen.path:
            told.append(_copied(chosen.path, path))
    if path is not None:
        told.extend(_point(path, [one.path for one in passed]))
    return Way(path, [sentence for sentence in told if sentence])


def _by_name(
    run: RunFolder, resume: Mapping[str, Any], choice: Choice, passed: List[Candidate]
) -> Way:
    """For a script that loads what is called so, and nothing else: each is replaced by a copy.

    Where there is none, it goes on from nothing, whatever else would hold.
    """
    told = [_set_aside(run, one, choice.path) for one in passed]
    path, chosen = choice.path, choice.candidate
    if chosen is None or path is None:
        return Way(None, [sentence for sentence in told if sentence])
    if not looks_for(resume, path):
        copies = [_copy_that_holds(run, one.path, choice) for one in passed]
        path = next((copy for copy in copies if copy is not None), None if passed else path)
    ours = (run.kept + os.sep, run.begun + os.sep)
    if path is not None and looks_for(resume, path) and path.startswith(ours):
        copy, path = path, _restored(run, path)
        if path != copy:
            told.append(_copied(copy, path))
    if path is None:
        names = " and ".join(os.path.basename(one.path) for one in passed)
        told.append(
            f"no copy of {names} is kept, and the script looks for nothing else: "
            f"it begins without {chosen.path}, which holds"
        )
    return Way(path, [sentence for sentence in told if sentence])


def _copied(copy: str, path: str) -> str:
    return f"{copy} is copied to {path}, where the script finds it"


def _copy_that_holds(run: RunFolder, path: str, choice: Choice) -> Optional[str]:
    """The newest copy that we keep of what stood at this path."""
    passed = {one.path for one in choice.passed}
    for found in reversed(checkpoints.scan([run.kept])):
        if found.path in passed or os.path.basename(found.path) != os.path.basename(path):
            continue
        filed = manifest.read(candidates.home_of(run).manifests, found.path)
        if filed is None or _original(run, found.path) != path:
            continue
        if not manifest.check(filed, found.path):
            return found.path
    return None


def _set_aside(run: RunFolder, one: Candidate, chosen: Optional[str]) -> str:
    keeps = _reason_to_leave(run, one, chosen)
    if keeps:
        return f"{one.path} is left where it is, {keeps}: the script may take it"
    folder, name = os.path.split(one.path)
    to, number = os.path.join(folder, f".{name}{SUFFIX}"), 2
    while os.path.lexists(to):
        to, number = os.path.join(folder, f".{name}{SUFFIX}-{number}"), number + 1
    try:
        os.rename(one.path, to)
    except FileNotFoundError:
        return ""
    files.sync_folder(folder)
    return f"{one.path} is set aside as {os.path.basename(to)}, so that the script finds it not"


def _reason_to_leave(run: RunFolder, one: Candidate, chosen: Optional[str]) -> str:
    home = candidates.home_of(run)
    filed = manifest.read(home.manifests, one.path)
    by = filed.about.run if filed is not None else None
    if by not in (None, run.name):
        return f"since {by} wrote it"
    if pins.is_pinned(home.pins, one.path):
        return "since it is pinned"
    if os.path.islink(one.path) or one.path in _led_to(os.path.dirname(one.path)):
        return "since a link leads to it"
    if by is None and not candidates.is_in(candidates.lives_of(run), one.found.mtime):
        beside = chosen is not None and os.path.dirname(chosen) == os.path.dirname(one.path)
        if not beside or time.time() - one.found.mtime < SETTLE_SECONDS:
            return "since nobody knows that this run wrote it"
    return ""


def _led_to(folder: str) -> List[str]:
    """Where the links of this folder lead."""
    with os.scandir(folder) as entries:
        links = [entry.path for entry in entries if entry.is_symlink()]
    return [os.path.join(folder, os.path.basename(os.path.realpath(link))) for link in links]


def _restored(run: RunFolder, copy: str) -> str:
    """Where a kept copy is found by its script: where the original was, unless that is taken."""
    import shutil

    path = _original(run, copy)
    if os.path.lexists(path):
        return copy
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    if os.path.isdir(copy):
        shutil.copytree(copy, beside, copy_function=shutil.copy2)
    else:
        shutil.copy2(copy, beside)
    os.rename(beside, path)
    files.sync_folder(folder)
    manifests = candidates.home_of(run).manifests
    filed = manifest.read(manifests, copy)
    if filed is not None:
        manifest.write(manifests, filed._replace(path=os.path.realpath(path)))
    return path


def _original(run: RunFolder, copy: str) -> str:
    """Where checkpoints of this name were last seen; else beside nothing, in the run's folder."""
    name = os.path.basename(copy)
    seen: Dict[str, str] = {}
    for number in run.attempts():
        for record in events.read(run.attempt(number).checkpoints).records:
            path = str(record.get("path", ""))
            if not path.startswith(run.kept + os.sep):
                seen[os.path.basename(path)] = path
    return seen.get(name, os.path.join(run.checkpoints, name))


def _point(path: str, passed: Iterable[str]) -> List[str]:
    """Let a tracker file that names one of these name what is gone on from."""
    told: List[str] = []
    folder = os.path.dirname(path)
    names = {os.path.basename(one) for one in passed}
    for name in _TRACKERS:
        tracker = os.path.join(folder, name)
        try:
            with open(tracker, "rb") as file:
                was = file.read(_TRACKER_BYTES).decode("utf-8", "replace").strip()
        except OSError:
            continue
        now = _spelled(was, names, os.path.basename(path))
        if now is not None:
            files.write_atomic(tracker, now.encode(), mode=0o644)
            told.append(f"{tracker} names {now} now, and named {was}")
    return told


def _spelled(was: str, passed: Set[str], chosen: str) -> Optional[str]:
    """The chosen one as this tracker would spell it; None where it names none of the passed."""
    if was in passed:
        return chosen
    numbers = {int(name[5:]) for name in passed if _MEGATRON.match(name)}
    if was.isdigit() and int(was) in numbers and _MEGATRON.match(chosen):
        return str(int(chosen[5:]))
    return None
