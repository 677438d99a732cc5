"""`trainctl resume` and `trainctl rerun`: go on with a run, or start its job anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.run import duration
from trainctl.cli.words import Passed, PassingCommand, options_of

if TYPE_CHECKING:
    from trainctl.control.launch import Started
    from trainctl.control.wiring import Here
    from trainctl.kit.names import RunFolder

RESUME_HELP = """\
Go on with a run that ended or was interrupted, as a new attempt from its newest checkpoint that
holds: whole, unchanged since it was written, from before a loss was NaN. ARGS are added to the
recorded ones; the code runs as it is now. A Python script that shows no way to go on is refused,
since it would begin anew over what it has saved.

\b
Examples:
  trainctl resume                        the newest run
  trainctl resume train-7f --epochs 20   with one argument changed
  trainctl resume --epochs 20            the same, for the newest run
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
EPILOG = """\
Options of trainctl stand before RUN; everything after it belongs to the script. Later attempts
keep what was added, also unattended ones. In the foreground the exit code is the script's.
"""


@click.command("resume", cls=PassingCommand, help=RESUME_HELP, epilog=EPILOG)
@click.option(
    "--from",
    "wanted",
    metavar="STEP|best|last|PATH",
    help="Which checkpoint; else the newest that holds.",
)
@click.option("-d", "--detach", is_flag=True, help="Start it and return; print its name.")
@click.option(
    "--as-recorded", is_flag=True, help="Leave out the arguments that earlier resumes have added."
)
@click.option(
    "--env", multiple=True, metavar="NAME[=VALUE]", help="One variable more for this attempt."
)
@click.option(
    "--force",
    is_flag=True,
    help="Start a script that shows no way to go on; it may begin anew over its checkpoints.",
)
@click.option(
    "--wait",
    callback=duration,
    metavar="[=6h]",
    help="Wait for the GPU cards, for ever or so long.",
)
@click.pass_context
def resume_command(ctx: click.Context, /, **given: Any) -> int:
    from trainctl.cli import hashing
    from trainctl.control import lookup, resume

    here, passed = stand.here(), ctx.obj
    folder = lookup.find(here, passed.run)
    _refuse_misplaced(ctx, here, folder, passed)

    def start() -> Started:
        with hashing.Waiting() as waiting:
            wish = resume.Wish(
                wanted=given["wanted"],
                arguments=passed.arguments,
                as_recorded=given["as_recorded"],
                force=given["force"],
                env=given["env"],
                wait=given["wait"],
                pace=waiting.add,
                tell=waiting.tell,
            )
            return resume.resume(here, folder, wish)

    return _attend(here, start, detach=given["detach"])


@click.command("rerun", cls=PassingCommand, help=RERUN_HELP, epilog=EPILOG)
@click.option("--name", metavar="NAME", help="Call the new run so.")
@click.option("--python", metavar="PATH", help="Another Python than that of the earlier run.")
@click.option("-d", "--detach", is_flag=True, help="Start it and return; print its name.")
@click.pass_context
def rerun_command(ctx: click.Context, /, **given: Any) -> int:
    from trainctl.control import lookup, resume

    here, passed = stand.here(), ctx.obj
    folder = lookup.find(here, passed.run)
    _refuse_misplaced(ctx, here, folder, passed)
    output.note(f"trainctl: the job of {folder.name} anew")
    return _attend(
        here,
        lambda: resume.rerun(here, folder, passed.arguments, given["name"], given["python"]),
        detach=given["detach"],
    )


def _refuse_misplaced(ctx: click.Context, here: Here, folder: RunFolder, passed: Passed) -> None:
    from trainctl.cli.run import run_command
    from trainctl.control import misplaced
    from trainctl.records import job as jobs

    if not passed.arguments or passed.marked:
        return
    verb = misplaced.Verb(
        str(ctx.info_name),
        options_of(ctx.command.get_params(ctx)),
        options_of(run_command.get_params(ctx)),
    )
    named = misplaced.run_among(here, passed.arguments) if passed.run is None else None
    if named is None:
        misplaced.refuse(verb, jobs.read(folder), passed.run, passed.arguments)
    else:
        misplaced.refuse_late(verb, jobs.read(named), passed.arguments)


def _attend(here: Here, start: Callable[[], Started], *, detach: bool) -> int:
    """Start it, say what is worth knowing, and stay with it or not."""
    from trainctl.cli import foreground

    attention = foreground.Attention()
    if not detach:
        attention.install()
    started = start()
    for notice in started.notices:
        output.told(notice)
    if detach:
        foreground.announce(started.run, started.job, started.number)
        output.line(started.run.name)
        return 0
    return foreground.attend(here, started, attention)
