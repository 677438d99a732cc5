"""`trainctl run CMD [ARGS]`, which `trainctl local` spells too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.words import OURS, WAIT_FOR_EVER, RunCommand
from trainctl.errors import NotFoundError, TrainctlError, UsageError

if TYPE_CHECKING:
    from trainctl.control.launch import Started
    from trainctl.control.wiring import Here

EPILOG = """\
\b
CMD is a script, -m MODULE, or a program such as torchrun, accelerate or bash.
Everything from CMD on passes to it untouched; options of trainctl stand before it.
\b
In the foreground the exit code is the script's; 125 means that trainctl itself failed.
Ctrl-C asks the script to stop (SIGTERM, then --grace, then SIGKILL); a second one ends it
at once. A closed terminal detaches: the run goes on.
"""
HELP = """\
Start a run: record it, log it, keep its checkpoints in view.

\b
Examples:
  trainctl run train.py --epochs 5
  trainctl run --detach --name baseline --tag lr-sweep train.py --lr 3e-4
  trainctl run --gpus 1 --wait -m mypackage.train
  trainctl run --nproc auto --retries 2 train.py
  trainctl run --env HF_TOKEN accelerate launch train.py
  trainctl run --store s3://my-bucket/checkpoints train.py
"""


def duration(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:
    from trainctl import config

    del context, parameter
    if value is None or value == WAIT_FOR_EVER:
        return None if value is None else float("inf")
    try:
        return config.duration(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no duration: write 90s, 30m, 6h or 1d") from None


_RESUME = click.option(
    "--resume",
    default="auto",
    metavar="auto|never|CKPT",
    show_default=True,
    help="What attempts begin with; CKPT, a path, URL or RUN: the first one too.",
)


def options(command: click.Command, *, resumes: bool = False) -> click.Command:
    """The options of a run, in the order in which help shows them.

    resumes: what it begins with is an argument of its own, so that --resume is none.
    """
    decorators = [
        click.option("--name", metavar="NAME", help="Call the run so, instead of train-7f3k."),
        click.option("-d", "--detach", is_flag=True, help="Start it and return; print its name."),
        click.option(
            "--env",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="Set a variable, or demand one of yours by name (never recorded).",
        ),
        click.option("--env-file", metavar="FILE", help="NAME=VALUE lines, read at each attempt."),
        click.option("--gpus", type=int, metavar="N", help="Claim N free GPU cards."),
        click.option("--gpu-ids", metavar="0,1", help="Claim exactly these cards."),
        click.option("--nproc", metavar="N|auto", help="Run N workers of the script by torchrun."),
        click.option(
            "--wait",
            callback=duration,
            metavar="[=6h]",
            help="Wait for the GPU cards, for ever or so long.",
        ),
        click.option("--after", metavar="RUN", help="Start when that run has succeeded."),
        click.option(
            "--max-hours", type=float, metavar="H", help="Stop it gracefully after H hours."
        ),
        click.option(
            "--retries", type=int, metavar="N", help="After a crash go on by itself, N times."
        ),
        *([] if resumes else [_RESUME]),
        click.option(
            "--checkpoint-dir", metavar="DIR", help="Where the script writes checkpoints."
        ),
        click.option(
            "--store", metavar="URL|DIR", help="Send its checkpoints there as they are made."
        ),
        click.option("--push", metavar="all|best|'every N'|off", help="Which of them are sent."),
        click.option("--grace", metavar="30s", help="How long it may take to save when stopped."),
        click.option("--python", metavar="PATH", help="The Python for a script."),
        click.option("--cwd", metavar="DIR", help="As if typed in this folder."),
        click.option(
            "--tag", multiple=True, metavar="TAG", help="Label the run; may be repeated."
        ),
        click.option(
            "--tty",
            is_flag=True,
            help="Give it a pseudo-terminal, for progress bars that need one.",
        ),
    ]
    for decorator in decorators:
        command = decorator(command)
    return command


def _command(name: str) -> click.Command:
    @click.pass_context
    def callback(ctx: click.Context, /, **given: Any) -> int:
        return run_with(list(ctx.obj), given)

    command = RunCommand(name, callback=callback, help=HELP, epilog=EPILOG)
    return options(command)


def run_with(typed: list[str], given: dict[str, Any]) -> int:
    """Start it with these options, and stay with it unless it is detached."""
    from trainctl.cli import foreground

    attention = foreground.Attention()
    try:
        if not typed:
            raise UsageError("there is nothing to run", hint="trainctl run train.py")
        here = _here(given["cwd"])
        if not given["detach"]:
            attention.install()
        started = _start(here, typed, given)
    except (TrainctlError, OSError) as error:
        if given["detach"]:
            raise
        raise _in_foreground(error) from error
    for notice in started.notices:
        output.told(notice)
    if given["detach"]:
        foreground.announce(started.run, started.job, started.number)
        output.line(started.run.name)
        return 0
    return foreground.attend(here, started, attention)


_FLAGS = (
    "gpus",
    "max_hours",
    "retries",
    "checkpoint_dir",
    "store",
    "push",
    "grace",
    "python",
    "env_file",
)


def _start(here: Here, typed: list[str], given: dict[str, Any]) -> Started:
    from trainctl.cli import hashing
    from trainctl.control import launch

    flags = {name: given[name] for name in _FLAGS}
    nproc = given["nproc"]
    flags["nproc"] = int(nproc) if nproc is not None and nproc.isdecimal() else nproc
    flags["env"] = given["env"] or None
    flags["tags"] = given["tag"] or None
    with hashing.Waiting() as waiting:
        request = launch.Request(
            typed=typed,
            name=given["name"],
            gpu_ids=given["gpu_ids"].split(",") if given["gpu_ids"] else None,
            resume=given["resume"],
            wait=given["wait"],
            after=given["after"],
            tty=given["tty"],
            pace=waiting.add,
            tell=waiting.tell,
        )
        return launch.start(here, request, here.settings.with_flags(flags, here.cwd))


def _in_foreground(error: TrainctlError | OSError) -> TrainctlError:
    """Ours, not the script's: 125, as docker has it."""
    if isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        error = TrainctlError(what, hint="df -h; then trainctl doctor")
    error.foreground_code = OURS  # type: ignore[attr-defined]
    return error


def _here(cwd: str | None) -> Here:
    """Where the run stands: as if the command were typed in that folder."""
    from trainctl.control.wiring import connect

    if cwd is None:
        return stand.here()
    path = os.path.normpath(os.path.join(stand.folder(), os.path.expanduser(cwd)))
    if not os.path.isdir(path):
        raise NotFoundError(f"--cwd {cwd}: there is no such folder", hint=f"mkdir -p {path}")
    return connect(path, dict(os.environ))


run_command = _command("run")
local_command = _command("local")
