"""Start a new run: from what was typed to a folder, a record and a first attempt."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from trainctl.checkpoints.scripts.folders import checkpoint_folders
from trainctl.checkpoints.scripts.resume import resume_arguments
from trainctl.checkpoints.scripts.script import read_script
from trainctl.config import Settings
from trainctl.control import (
    attempts,
    beginning,
    cards,
    code,
    environment,
    journal,
    keeping,
    staging,
    untold,
    versions,
)
from trainctl.control.beginning import Beginning
from trainctl.control.interpreter import Command, resolve
from trainctl.control.pythons import world_of
from trainctl.control.wiring import Here
from trainctl.errors import RefusedError, UsageError
from trainctl.kit import checkpoints, events, files
from trainctl.kit import launch as kit_launch
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Handle
from trainctl.records import index, naming, record
from trainctl.records.job import Job
from trainctl.version import __version__

if TYPE_CHECKING:
    from trainctl.kit.hashing import Pace

_TRIES = 20


class Request(NamedTuple):
    """A command line of `trainctl run`, beyond what settings hold. Durations in seconds.

    resume: `auto`, `never`, or what to begin with: the path or URL of a checkpoint, or a run.
    wait: None for no wait, infinity for ever. pace: told of what is hashed before the start;
    tell: told what speaks against it, before the start too.
    """

    typed: Sequence[str]
    name: str | None = None
    gpu_ids: Sequence[str] | None = None
    resume: str = "auto"
    wait: float | None = None
    after: str | None = None
    tty: bool = False
    platform: str = "local"
    rerun_of: str | None = None
    pace: Pace | None = None
    tell: Callable[[str], None] | None = None


class Started(NamedTuple):
    """An attempt that was submitted, and what its user should hear about it."""

    run: RunFolder
    job: Job
    handle: Handle
    notices: list[str]
    number: int = 1


def start(here: Here, request: Request, settings: Settings) -> Started:
    """Record and start a run. Once this returns, the run outlives us and every crash.

    Raises a TrainctlError, with nothing started, where anything speaks against it.
    """
    _refuse_native_windows()
    world = world_of(here.cwd, here.environ)
    nproc: Any = settings.nproc  # the settings have checked it
    command = resolve(list(request.typed), world, settings.python, nproc)
    run = here.home.run(_name(here, request, settings))
    begun = beginning.find(here, request.resume, run, request.pace)
    job = _job(here, request, settings, command, run.name)
    job = job._replace(resume={**job.resume, "begun": begun.to_json(request.resume)})
    notices = [*_notices(here, job), *untold.warned(job.source, job.resume, job.retries)]
    notices += [*begun.words(run.name)]
    offers = list(here.platforms[request.platform].offers(job))
    if not offers:
        raise RefusedError("this machine cannot run this job", hint="trainctl doctor")
    variables = environment.build(
        run.name,
        here.environ,
        {**job.env, **environment.given(settings.env)},
        job.env_names,
        job.env_file,
    )
    tree = code.ask(job.project, here.environ)
    _create(here, run, job, variables, begun)
    plan = kit_launch.render(
        run, job.to_json(), 1, checkpoint=begun.path, device=cards.device(variables)
    )
    if begun.path is not None:
        notices += _against(job, begun.path, request)
    handle = attempts.start(here, run, job, 1, plan)
    python = versions.ask(job.interpreter, job.cwd, variables)  # not in the way of the start
    threading.Thread(target=_record_code, args=(here, run, job, tree, python)).start()
    return Started(run, job, handle, notices)


def _against(job: Job, path: str, request: Request) -> list[str]:
    """What speaks against beginning with it, as far as nobody was told at once."""
    from trainctl.control import speaking  # readers of formats, for hardly any run

    return speaking.say(speaking.first(job, path), request.tell)


def _record_code(here: Here, run: RunFolder, job: Job, tree: Any, python: Any) -> None:
    """What ran, while it runs already: git and the driver may take their time.

    The interpreter waits for this thread before it ends. A full disk costs this part of the
    record, not the run.
    """
    try:
        if job.retries:
            code.snapshot(run, job.project, here.environ, job.env_file)
        code.keep(run, tree, python)
    except OSError:
        pass


def _job(here: Here, request: Request, settings: Settings, command: Command, name: str) -> Job:
    at = len(command.command) if command.arguments is None else command.arguments
    script = read_script(command.source)
    arguments = list(command.command[at:])
    hint = resume_arguments(script, arguments, settings.resume_args)
    own = here.home.run(name).checkpoints
    folders = checkpoint_folders(script, arguments, here.cwd, settings.checkpoint_dir, own)
    values, names = environment.split(settings.env)
    why = command.interpreter.why if command.interpreter else ""
    return Job(
        name=name,
        created=here.clock.now(),
        typed=list(request.typed),
        command=list(command.command),
        arguments_at=at,
        script=command.script,
        source=command.source,
        kind=command.kind,
        cwd=here.cwd,
        project=code.project_of(here.cwd),
        interpreter={"path": command.interpreter.path, "why": why}
        if command.interpreter
        else None,
        env=values,
        env_names=names,
        env_file=settings.env_file,
        gpus=cards.claim_of(here, settings.gpus, request.gpu_ids, wait=request.wait is not None),
        wait_seconds=wait_seconds(request.wait),
        after=_after(here, request.after),
        nproc=settings.nproc,
        max_seconds=settings.max_hours * 3600 if settings.max_hours is not None else None,
        retries=settings.retries,
        grace_seconds=settings.grace,
        stall_seconds=settings.stall_after if settings.stall_after is not None else 0.0,
        disk_warn_bytes=settings.disk_warn_gb * 1e9,
        tty=request.tty,
        tags=list(settings.tags),
        resume={
            "mode": "never" if request.resume == "never" else "auto",
            "why": hint.why,
            **untold.settings(script, hint),
        },
        checkpoint_dirs=list(folders.all),
        asked={"python": settings.python, "checkpoint_dir": settings.checkpoint_dir},
        platform=request.platform,
        host=_host(),
        trainctl=__version__,
        rerun_of=request.rerun_of,
        store=keeping.store_of(settings),
        push=settings.push,
        retention=keeping.retention_of(settings),
        kept_bytes=settings.kept_limit,
    )


def _create(
    here: Here, run: RunFolder, job: Job, variables: dict[str, str], begun: Beginning
) -> None:
    """Make the run's folder with all that its first attempt needs, whole at once or not at all."""
    row = index.row(record.read(run), job.to_json())
    os.makedirs(here.home.runs, mode=0o700, exist_ok=True)
    os.makedirs(here.home.locks, mode=0o700, exist_ok=True)
    staging.sweep(here.home)
    staged = RunFolder(staging.new(here.home, run.name))
    try:
        os.mkdir(staged.path, 0o700)
        _fill(staged, job, variables, own=run.checkpoints)
        if begun.fetch is not None and begun.path is not None:
            from trainctl.kit import manifest

            fetched = begun.fetch(staged.begun)
            manifest.write(here.home.manifests, fetched._replace(path=begun.path))
        with index.Index.open(here.home) as known:
            known.add_with_folder(row, lambda: os.rename(staged.path, run.path))
        files.sync_folder(here.home.runs)
    except OSError as error:
        if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
            raise _taken(run.name) from error
        raise
    finally:
        staging.remove(staged.path)


def _fill(staged: RunFolder, job: Job, variables: dict[str, str], *, own: str) -> None:
    folder = job.checkpoint_dirs[0]
    os.makedirs(staged.checkpoints if folder == own else folder, exist_ok=True)
    kit_launch.write_environment(staged, variables)
    events.append(staged.events, "submitted", {"platform": job.platform, "by": journal.me()})
    files.write_json(staged.job, job.to_json())


def _taken(name: str) -> RefusedError:
    return RefusedError(f"there is a run named {name} already", hint="choose another --name")


def _name(here: Here, request: Request, settings: Settings) -> str:
    if request.name is not None:
        if not naming.is_valid(request.name):
            raise UsageError(
                f"--name {request.name!r} cannot name a run",
                hint="letters, digits, '.', '_' and '-', at most 63, beginning with a letter",
            )
        if os.path.lexists(here.home.run(request.name).path):
            raise _taken(request.name)
        return request.name
    stem = settings.name or naming.stem_of(list(request.typed))
    for _ in range(_TRIES):
        name = naming.fresh(stem)
        if not os.path.lexists(here.home.run(name).path):
            return name
    raise RefusedError(f"no free name was found for {stem}", hint="choose one with --name")


def _after(here: Here, after: str | None) -> str | None:
    from trainctl.control.lookup import find

    return None if after is None else find(here, after).name


def wait_seconds(wait: float | None) -> float | None:
    """A wish to wait, as a job records it: 0 for none, None for ever."""
    if wait is None:
        return 0.0
    return None if wait == float("inf") else wait


def _host() -> dict[str, Any]:
    name = os.uname()
    return {
        "name": name.nodename,
        "os": f"{name.sysname} {name.release} {name.machine}",
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _notices(here: Here, job: Job) -> list[str]:
    """What a user should know before: the folder holds checkpoints that are not this run's."""
    folder = job.checkpoint_dirs[0]
    there = checkpoints.scan([folder])
    if not there:
        return []
    name = os.path.relpath(folder, here.cwd)
    has = f"{name} already holds {counted(len(there), 'checkpoint')} of an earlier run"
    return [f"{has}: this run resumes from its own only, but its script may overwrite them"]


def counted(count: int, what: str) -> str:
    """`1 checkpoint`, `3 checkpoints`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _refuse_native_windows() -> None:
    if sys.platform == "win32":
        raise RefusedError(
            "trainctl runs on Linux and macOS", hint="on Windows, use WSL: wsl --install"
        )
