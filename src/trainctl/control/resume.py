"""Go on with a run that ended or was interrupted: a new attempt from a checkpoint of its own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from trainctl.checkpoints.scripts.resume import ResumeHint, resume_arguments
from trainctl.checkpoints.scripts.script import Script, read_script
from trainctl.config import load
from trainctl.control import (
    attempts,
    cards,
    code,
    environment,
    journal,
    lookup,
    picking,
    speaking,
    untold,
)
from trainctl.control.launch import Request, Started, start, wait_seconds
from trainctl.control.picking import Picked
from trainctl.control.wiring import Here
from trainctl.errors import BusyError, NotFoundError, RefusedError
from trainctl.kit import aside, files, process
from trainctl.kit import launch as kit_launch
from trainctl.kit.hashing import Pace
from trainctl.kit.launch import Launch
from trainctl.kit.names import RunFolder
from trainctl.records import job as jobs
from trainctl.records.job import Job
from trainctl.records.record import Record


class Wish(NamedTuple):
    """What was typed after `trainctl resume`, beyond the run.

    wanted: `last`, `best`, a step or a path; None takes the newest checkpoint of this run that
    holds, or begins anew where there is none. as_recorded: leave out what earlier resumes have
    added. force: start a script that shows no way to go on. wait: seconds to wait for GPU cards;
    None refuses at once. pace: told of what is hashed; tell: told what speaks against it, before
    anything starts.
    """

    wanted: str | None = None
    arguments: Sequence[str] = ()
    as_recorded: bool = False
    force: bool = False
    env: Sequence[str] = ()
    wait: float | None = None
    pace: Pace | None = None
    tell: Callable[[str], None] | None = None


def resume(here: Here, run: RunFolder, wish: Wish | None = None) -> Started:
    """Start the next attempt: the recorded command, these arguments after it, the tree as it is.

    Only once its checkpoint has been read to the last byte. Raises BusyError while the run lives,
    NotFoundError for a checkpoint that is not there, RefusedError for a named one that does not
    hold, or a script that shows no way to go on.
    """
    wish = wish or Wish()
    found = lookup.refresh(here, run)
    _refuse_living(run, found)
    job = jobs.read(run)
    if not os.path.isdir(job.cwd):
        raise NotFoundError(f"{job.cwd}, where {run.name} ran, is not there any more")
    picked = picking.pick(here, run, job, wish.wanted, wish.pace)
    following = _following(here, run, job, found, wish)
    if not wish.force:
        extra = [*following.earlier, *wish.arguments]
        untold.refuse(run.name, following.script, following.resume, picked.choice, extra)
    changes, tree = _changes(here, run, job)
    way, plan = _settle(here, found, following, picked, tree)
    told = [
        *picked.notices,
        *way.told,
        *speaking.untold(run, job, picked, following.script, following.resume),
        *speaking.diverged(run, picked, here.home.manifests),
        *speaking.against(job, way.path, following.script, following.hint),
    ]
    left = speaking.say(told, wish.tell)
    handle = attempts.start(here, run, job, following.number, plan)
    lookup.note(here, run)
    goes_on = _goes_on(here, run, following.number, way.path)
    notices = [*left, goes_on, *_added(run, following.earlier, wish.arguments), *changes]
    return Started(run, job, handle, notices, following.number)


class _Following(NamedTuple):
    """The attempt that is to come. earlier: the arguments that resumes before have added."""

    run: RunFolder
    job: Job
    wish: Wish
    number: int
    earlier: list[str]
    script: Script
    hint: ResumeHint
    gpus: dict[str, Any]

    @property
    def resume(self) -> dict[str, Any]:
        """As a job records it, by the script's source and settings as they are now."""
        return {**self.job.resume, **untold.settings(self.script, self.hint)}


def _following(here: Here, run: RunFolder, job: Job, found: Record, wish: Wish) -> _Following:
    number = (found.attempts[-1].number if found.attempts else 0) + 1
    before = kit_launch.read(run, number - 1)
    earlier = before.extra if before and not wish.as_recorded else []
    script = read_script(job.source)
    hint = _hint(here, job, script, [*earlier, *wish.arguments])
    gpus = _cards(here, job, wish.wait)
    return _Following(run, job, wish, number, earlier, script, hint, gpus)


def _settle(
    here: Here, found: Record, following: _Following, picked: Picked, tree: dict[str, Any]
) -> tuple[aside.Way, Launch]:
    """Make way for the checkpoint and write what was decided: from here on it will be started."""
    run, job, wish = following.run, following.job, following.wish
    recorded = {
        **job.to_json(),
        "gpus": following.gpus,
        "wait_seconds": wait_seconds(wish.wait),
        "resume": following.resume,
    }
    extra = [*following.earlier, *wish.arguments]
    device = cards.device(here.environ)
    with journal.unchanged(run, found) as still:  # of two at once, one resumes
        if not still:
            raise BusyError(
                f"another trainctl has just changed {run.name}", hint=f"trainctl show {run.name}"
            )
        way = aside.make(run, following.resume, picked.choice)
        plan = kit_launch.render(
            run, recorded, following.number, checkpoint=way.path, device=device, extra=extra
        )
        _write_environment(here, run, job, wish.env)
        plan.write(run, following.number)
        passed = [one.to_json() for one in picked.choice.passed]
        asked = {"attempt": following.number, "from": way.path, "arguments": list(wish.arguments)}
        asked |= {**tree, "passed": passed, "told": way.told, "by": journal.me()}
        journal.append(here, run, "resumed", asked)
    return way, plan


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


def _hint(here: Here, job: Job, script: Script, extra: Sequence[str]) -> ResumeHint:
    """How to tell the script where to go on, by its source and settings as they are now."""
    given = [*job.command[job.arguments_at :], *extra]
    settings = load(job.cwd, here.environ)
    return resume_arguments(script, given, settings.resume_args)


def _goes_on(here: Here, run: RunFolder, number: int, checkpoint: str | None) -> str:
    if checkpoint is None:
        return f"attempt {number} of {run.name} starts from the beginning: no checkpoint is taken"
    near = os.path.relpath(checkpoint, here.cwd)
    where = checkpoint if near.startswith("..") else near
    return f"attempt {number} of {run.name} goes on from {where}"


def _added(run: RunFolder, earlier: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """What its command has that the recorded one has not."""
    notices: list[str] = []
    if earlier:
        notices.append(
            f"with {_words(earlier)} as added before; "
            f"to leave that out: trainctl resume --as-recorded {run.name}"
        )
    if arguments:
        notices.append(f"with {_words(arguments)} added to the recorded arguments")
    return notices


def _words(arguments: Sequence[str]) -> str:
    return shlex.join(argument.encode("utf-8", "replace").decode() for argument in arguments)


def _cards(here: Here, job: Job, wait: float | None) -> dict[str, Any]:
    if not job.gpus["count"]:
        return job.gpus
    return cards.claim_of(here, job.gpus["count"], job.gpus["ids"], wait=wait is not None)


def _changes(here: Here, run: RunFolder, job: Job) -> tuple[list[str], dict[str, Any]]:
    """What of the code is not as it was at the first attempt, and what it is now."""
    before = files.read_json(run.code)
    if not before or not before.get("commit"):
        return [], {}
    now, diff = code.describe(code.ask(job.project, here.environ))
    tree = {"commit": now.get("commit"), "dirty": now.get("dirty")}
    if now.get("commit") != before["commit"]:
        was, is_ = str(before["commit"])[:8], str(now.get("commit"))[:8]
        return [f"the code is at commit {is_}, it was at {was}"], tree
    if _read(run.diff) != diff:
        told = "the code has changed since the first attempt; as it was then: trainctl show --diff"
        return [f"{told} {run.name}"], tree
    return [], tree


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


def _python(here: Here, typed: str) -> str | None:
    return here.settings.with_flags({"python": typed}, here.cwd).python


def rerun(
    here: Here,
    run: RunFolder,
    arguments: Sequence[str],
    name: str | None,
    python: str | None = None,
) -> Started:
    """A new run of the same job, from the beginning, with the tree as it is now.

    python: the interpreter that takes the place of the recorded one.
    """
    job = jobs.read(run)
    if not os.path.isdir(job.cwd):
        raise RefusedError(f"{job.cwd}, where {run.name} ran, is not there any more")
    given = {
        "python": job.asked["python"] if python is None else _python(here, python),
        "store": job.store["url"] if job.store else None,
        "push": job.push,
        "checkpoint_dir": job.asked["checkpoint_dir"],
        "tags": tuple(job.tags),
        "env_file": job.env_file,
        "retries": job.retries,
        "grace": job.grace_seconds,
        "gpus": int(job.gpus["count"]),
        "nproc": job.nproc,
        "max_hours": job.max_seconds / 3600 if job.max_seconds is not None else None,
        "env": (*(f"{key}={value}" for key, value in job.env.items()), *job.env_names),
    }
    there = here._replace(cwd=job.cwd, settings=load(job.cwd, here.environ))
    request = Request(
        [*job.typed, *arguments],
        name=name,
        gpu_ids=job.gpus["ids"],
        resume=job.resume["mode"],
        tty=job.tty,
        rerun_of=run.name,
    )
    return start(there, request, there.settings._replace(**given))
