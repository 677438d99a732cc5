"""What a person should hear of the checkpoint that an attempt goes on from, before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from trainctl.checkpoints.scripts.resume import ResumeHint, resume_arguments
from trainctl.checkpoints.scripts.script import Script, read_script
from trainctl.control import picking
from trainctl.control.picking import Picked
from trainctl.kit import aside, candidates, checkpoints, choosing
from trainctl.kit.names import RunFolder
from trainctl.records.job import Job


def untold(
    run: RunFolder, job: Job, picked: Picked, script: Script, resume: Mapping[str, Any]
) -> list[str]:
    """Said where the script may go on from something else, or begin anew all the same."""
    path = picked.choice.path
    if path is None:
        return []
    if not resume["args"] and not script.finds:
        known = [path, *(one.path for one in picked.choice.passed)]
        if script.is_told or any(aside.looks_for(resume, one) for one in known):
            return []
        return [f"{job.resume['why']}; only the variable TRAINCTL_RESUME_FROM names it"]
    if not aside.finds_by_itself(resume):
        return []
    own = candidates.of_run(run, job.to_json())
    newer = next((one.path for one in own if picked.named and not one.kept), path)
    if newer == path:
        newer = _newer_of_others(path, {one.path for one in own}) or path
    if newer == path:
        return []
    who = script.name or "the script"
    return [f"{who} finds its newest checkpoint by itself: it may take {newer} instead"]


def _newer_of_others(path: str, own: set[str]) -> str | None:
    """The newest beside it that this run did not write: a search by name or time finds it too."""
    chosen = checkpoints.look(path)
    if chosen is None:
        return None
    beside = [one for one in checkpoints.scan([os.path.dirname(path)]) if one.path not in own]
    newer = [
        one.path
        for one in beside
        if one.mtime > chosen.mtime or (one.step or 0) > (chosen.step or 0)
    ]
    return newer[-1] if newer else None


def say(told: list[str], tell: Callable[[str], None] | None) -> list[str]:
    """Tell it now, where somebody listens; what is left for later."""
    if tell is None:
        return told
    for sentence in told:
        tell(sentence)
    return []


def first(job: Job, path: str) -> list[str]:
    """The same for the first attempt, which begins with this checkpoint."""
    script = read_script(job.source)
    hint = resume_arguments(script, job.command[job.arguments_at :])
    hint = hint._replace(args=tuple(job.resume["args"]))
    told: list[str] = []
    if aside.finds_by_itself(job.resume):
        told.append(f"{script.name} finds its newest checkpoint by itself: it may take another")
    elif not hint.args and not script.is_told:
        told.append(f"{hint.why}; only the variable TRAINCTL_RESUME_FROM names it")
    return [*told, *against(job, path, script, hint)]


def diverged(run: RunFolder, picked: Picked, manifests: str) -> list[str]:
    """Said of one that was named although its loss was no number any more."""
    one = picked.choice.candidate
    why = choosing.divergence(run, one, manifests) if one is not None and picked.named else None
    return [f"{one.path} {why}"] if one is not None and why is not None else []


def against(job: Job, path: str | None, script: Script, hint: ResumeHint) -> list[str]:
    """What about this checkpoint does not fit this script, its ranks, or a careful person."""
    from trainctl.checkpoints import mismatches

    if path is None:
        return []
    try:
        inspection, resuming = picking.inspected(path)
    except OSError:
        return []
    loader = mismatches.Loader(script, hint, ranks_of(job))
    return mismatches.told(
        os.path.basename(path), inspection, resuming, loader, is_dir=os.path.isdir(path)
    )


def ranks_of(job: Job) -> int | None:
    """How many ranks an attempt of this job has; None where that cannot be told."""
    if job.nproc is not None:
        return job.nproc if isinstance(job.nproc, int) else None
    words = job.command[: job.arguments_at]
    for at, word in enumerate(words):
        flag, joined, value = word.replace("_", "-").partition("=")
        if flag in _RANK_FLAGS:
            value = value if joined else next(iter(words[at + 1 : at + 2]), "")
            return int(value) if value.isdecimal() and not _is_over_nodes(words) else None
    return 1 if job.kind == "script" and job.script == 1 else None


def _is_over_nodes(words: list[str]) -> bool:
    return any(word.partition("=")[0] in {"--nnodes", "--num_machines"} for word in words)


_RANK_FLAGS = {"--nproc-per-node", "--num-processes", "--num-gpus"}
