"""`trainctl resume` and `trainctl rerun`: go on with a run, or start its job anew."""

from __future__ import annotations

import os
from typing import Any

import click

from trainctl.cli import output, stand
from trainctl.cli.run import duration

RESUME_HELP = """\
Go on with a run that ended or was interrupted, as a new attempt from its newest complete
checkpoint. ARGS are added to the recorded ones; the code runs as it is now.

\b
Examples:
  trainctl resume                        the newest run
  trainctl resume train-7f --epochs 20   with one argument changed
  trainctl resume --from best train-7f
  trainctl resume --from 400 -d train-7f
"""
RERUN_HELP = """\
Start the job of an earlier run anew, as a run of its own, with the code as it is now.

\b
Examples:
  trainctl rerun
  trainctl rerun train-7f --seed 2
"""
_PASSING = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("resume", help=RESUME_HELP, context_settings=_PASSING)
@click.option(
    "--from",
    "wanted",
    metavar="STEP|best|last|PATH",
    help="Which checkpoint; else the newest complete one.",
)
@click.option("-d", "--detach", is_flag=True, help="Start it and return.")
@click.option(
    "--env", multiple=True, metavar="NAME[=VALUE]", help="One variable more for this attempt."
)
@click.option("--wait", callback=duration, metavar="6h", help="Wait so long for the GPU cards.")
@click.argument("run", required=False)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def resume_command(run: str | None, args: tuple[str, ...], **given: Any) -> int:
    from trainctl.cli import foreground
    from trainctl.control import lookup, resume

    here = stand.here()
    if run is not None and run.startswith("-"):
        run, args = None, (run, *args)
    folder = lookup.find(here, run)
    started = resume.resume(
        here,
        folder,
        wanted=given["wanted"],
        arguments=list(args),
        env=given["env"],
        wait=given["wait"],
    )
    source = (
        _near(started.checkpoint) if started.checkpoint else "the beginning: it has no checkpoint"
    )
    output.note(f"trainctl: attempt {started.number} of {folder.name} goes on from {source}")
    for notice in started.notices:
        output.note(f"trainctl: {notice}")
    if given["detach"]:
        output.line(folder.name)
        return 0
    return foreground.attend(here, folder, started.job, started.handle, started.number)


@click.command("rerun", help=RERUN_HELP, context_settings=_PASSING)
@click.option("--name", metavar="NAME", help="Call the new run so.")
@click.option("-d", "--detach", is_flag=True, help="Start it and return; print its name.")
@click.argument("run", required=False)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def rerun_command(run: str | None, args: tuple[str, ...], **given: Any) -> int:
    from trainctl.cli import foreground
    from trainctl.control import lookup, resume

    here = stand.here()
    if run is not None and run.startswith("-"):
        run, args = None, (run, *args)
    started = resume.rerun(here, lookup.find(here, run), list(args), given["name"])
    for notice in started.notices:
        output.note(f"trainctl: {notice}")
    if given["detach"]:
        foreground.announce(started.run, started.job, 1)
        output.line(started.run.name)
        return 0
    return foreground.attend(here, started.run, started.job, started.handle, 1)


def _near(path: str) -> str:
    short = os.path.relpath(path)
    return output.home_short(path) if short.startswith("..") else short
