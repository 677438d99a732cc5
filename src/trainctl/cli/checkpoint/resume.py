"""`trainctl checkpoint resume CKPT CMD [ARGS]`: a run that begins with a checkpoint."""

from __future__ import annotations

from typing import Any

import click

from trainctl.cli import run
from trainctl.cli.words import OURS, RunCommand, split
from trainctl.errors import UsageError

HELP = """\
Start a run that begins with this checkpoint: trainctl run --resume CKPT CMD.

CKPT is a path, the URL of one in a store, RUN/NAME or RUN/STEP, or a run, whose newest checkpoint
that holds is meant.
It is read to the last byte first; the script is told of it in the way its source shows.

\b
Examples:
  trainctl checkpoint resume out/checkpoint-400 train.py --epochs 5
  trainctl checkpoint resume train-7f --name longer train.py
  trainctl checkpoint resume s3://bucket/runs/train-7f/1-400-0123456789ab train.py
"""


class _Resuming(RunCommand):
    """CKPT stands before CMD; options of ours may stand before either."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, words = split(self, args)
        more, command = split(self, words[1:])
        done = super().parse_args(ctx, [*ours, *more, "--", *command])
        if not command:
            error = click.UsageError("a checkpoint and a command are needed", ctx)
            error.foreground_code = OURS  # type: ignore[attr-defined]
            raise error
        ctx.obj = (words[0], command)
        return done

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "CKPT CMD [ARGS]..."]


@click.pass_context
def _resume(ctx: click.Context, /, **given: Any) -> int:
    checkpoint, command = ctx.obj
    if checkpoint in {"auto", "never"}:
        raise UsageError(f"{checkpoint} is no checkpoint", hint="give its path, or a run")
    return run.run_with(command, {**given, "resume": checkpoint})


resume_command = run.options(
    _Resuming("resume", callback=_resume, help=HELP, epilog=run.EPILOG), resumes=True
)
