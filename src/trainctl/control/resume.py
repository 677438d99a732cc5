"""Go on with a run that ended or was interrupted: a new attempt from a checkpoint of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from trainctl.checkpoints.selection import choose
from trainctl.control import cards, code, environment, lookup
from trainctl.control.launch import Request, Started, start
from trainctl.control.wiring import Here
from trainctl.errors import BusyError, NotFoundError, RefusedError
from trainctl.kit import checkpoints, events, files, gpus, process
from trainctl.kit import launch as kit_launch
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Attempt, Handle
from trainctl.runs import job as jobs
from trainctl.runs.job import Job
from trainctl.runs.record import Record


class Resumed(NamedTuple):
    """What was started, from which checkpoint (None: from the beginning), and what changed."""

    run: RunFolder
    job: Job
    handle: Handle
    number: int
    checkpoint: str | None
    notices: list[str]


def resume(
    here: Here,
    run: RunFolder,
    *,
    wanted: str | None = None,
    arguments: Sequence[str] = (),
    env: Sequence[str] = (),
    wait: float | None = None,
) -> Resumed:
    """Start the next attempt with the recorded command, these arguments after it, the tree as it is.

    wanted: `last`, `best`, a step or a path; None takes the newest complete one of this run, or
    begins anew where there is none. wait: seconds to wait for GPU cards; None refuses at once.
    Raises BusyError while the run lives, NotFoundError for a checkpoint that is not there.
    """
    found = lookup.refresh(here, run)
    _refuse_living(run, found)
    job = jobs.read(run)
    if not os.path.isdir(job.cwd):
        raise NotFoundError(f"{job.cwd}, where {run.name} ran, is not there any more")
    checkpoint = pick(run, job, found, wanted)
    number = (found.attempts[-1].number if found.attempts else 0) + 1
    claimed = _cards(here, job, wait)
    notices = _changes(run, job, arguments)
    _write_environment(here, run, job, env)
    recorded = {**job.to_json(), "gpus": claimed, "wait_seconds": _wait_seconds(wait)}
    before = kit_launch.read(run, number - 1)
    earlier = before.extra if before else []
    plan = kit_launch.render(
        run,
        recorded,
        number,
        checkpoint=checkpoint,
        device=gpus.device(dict(here.environ)),
        extra=[*earlier, *arguments],
    )
    events.append(
        run.events,
        "resumed",
        {"attempt": number, "from": checkpoint, "arguments": list(arguments)},
    )
    offer = next(iter(here.platforms[job.platform].offers(job)))
    handle = here.platforms[job.platform].submit(Attempt(run.name, number, plan), offer)
    lookup.note(here, run)
    return Resumed(run, job, handle, number, checkpoint, notices)


def _refuse_living(run: RunFolder, found: Record) -> None:
    if found.living:
        raise BusyError(
            f"{run.name} is {found.state}: a second trainer is not started beside it",
            hint=f"trainctl logs -f {run.name}, or first: trainctl stop {run.name}",
        )
    left = process.marked(run.path)
    if left:
        raise BusyError(
            f"processes of {run.name} are still alive: {', '.join(map(str, left))}",
            hint=f"trainctl stop --now {run.name}",
        )


def own_checkpoints(run: RunFolder, job: Job) -> list[checkpoints.Found]:
    """The complete checkpoints that this run wrote, oldest first."""
    found = checkpoints.scan(job.checkpoint_dirs, since=job.created - 1)
    alive = bool(process.marked(run.path))
    return [item for item in found if checkpoints.is_complete(item, writers_alive=alive)]


def pick(run: RunFolder, job: Job, found: Record, wanted: str | None) -> str | None:
    """The checkpoint to go on from."""
    there = own_checkpoints(run, job)
    if wanted is not None and wanted != "last":
        return choose(there, wanted, job.cwd)
    newest = checkpoints.newest_complete(there)
    if newest is not None:
        return newest.path
    if wanted == "last":
        return choose(there, wanted, job.cwd)
    del found
    return None


def _cards(here: Here, job: Job, wait: float | None) -> dict[str, Any]:
    if not job.gpus["count"]:
        return job.gpus
    return cards.claim_of(here, int(job.gpus["count"]), None, wait=wait is not None)


def _wait_seconds(wait: float | None) -> float | None:
    if wait is None:
        return 0.0
    return None if wait == float("inf") else wait


def _changes(run: RunFolder, job: Job, arguments: Sequence[str]) -> list[str]:
    """What is not as it was at the first attempt, said before it starts."""
    notices: list[str] = []
    if arguments:
        notices.append(f"with {len(arguments)} more arguments than the first attempt")
    before = files.read_json(run.code)
    if not before or not before.get("commit"):
        return notices
    now, diff = code.describe(code.ask(job.project))
    if now.get("commit") != before["commit"]:
        was, is_ = str(before["commit"])[:8], str(now.get("commit"))[:8]
        notices.append(f"the code is at commit {is_}, it was at {was}")
    elif _read(run.diff) != diff:
        notices.append(
            "the working tree has changed since the first attempt: trainctl show --diff"
        )
    return notices


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _write_environment(here: Here, run: RunFolder, job: Job, env: Sequence[str]) -> None:
    values, names = environment.split(env)
    built = environment.build(
        run.name,
        here.environ,
        {**job.env, **values, **environment.given(env)},
        [*job.env_names, *names],
        job.env_file,
    )
    kit_launch.write_environment(run, built)


def rerun(here: Here, run: RunFolder, arguments: Sequence[str], name: str | None) -> Started:
    """A new run of the same job, from the beginning, with the tree and settings as they are now."""
    job = jobs.read(run)
    if not os.path.isdir(job.cwd):
        raise RefusedError(f"{job.cwd}, where {run.name} ran, is not there any more")
    given = {
        "retries": job.retries,
        "grace": job.grace_seconds,
        "gpus": int(job.gpus["count"]),
        "nproc": job.nproc,
        "max_hours": job.max_seconds / 3600 if job.max_seconds is not None else None,
        "env": tuple([*(f"{key}={value}" for key, value in job.env.items()), *job.env_names]),
    }
    there = here._replace(cwd=job.cwd)
    settings = here.settings._replace(**given)
    request = Request([*job.typed, *arguments], name=name, tty=job.tty, rerun_of=run.name)
    return start(there, request, settings)
