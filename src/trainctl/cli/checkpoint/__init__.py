"""`trainctl checkpoint`: a module per command, imported only when that command runs."""

from __future__ import annotations

import importlib
from typing import cast

import click

from trainctl.cli import output
from trainctl.errors import UsageError

COMMANDS = {
    "list": ("listing", "List checkpoints of a folder, a run or a store"),
    "info": ("info", "What one holds: step, tensors, what resuming it takes"),
    "diff": ("diff", "What differs between two"),
    "verify": ("verify", "Structure, hashes, all ranks: is it whole?"),
    "resume": ("resume", "Start a run that goes on from one"),
    "push": ("push", "Send one to the store"),
    "pull": ("pull", "Fetch one from the store"),
    "prune": ("prune", "Remove those that no rule keeps"),
    "pin": ("pin", "Never prune this one"),
    "unpin": ("pin", "Let pruning decide about it again"),
}
OTHER_WORDS = {
    "show": "info",
    "inspect": "info",
    "ls": "list",
    "compare": "diff",
    "check": "verify",
    "upload": "push",
    "download": "pull",
    "rm": "prune",
    "delete": "prune",
}
HELP = """\
Know, verify, keep, move and resume checkpoints. None is ever unpickled, no framework is needed.

\b
Examples:
  trainctl checkpoint list              those of the newest run
  trainctl checkpoint list out/         those in a folder
  trainctl checkpoint info out/last.pt
  trainctl checkpoint verify out/checkpoint-400
  trainctl checkpoint info train-7f/400 one of a run: RUN/STEP, or RUN/NAME
"""


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"trainctl.cli.checkpoint.{COMMANDS[cmd_name][0]}")
        return cast("click.Command", getattr(module, f"{cmd_name}_command"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise UsageError(f"trainctl checkpoint has no {args[0]!r}", hint=_meant(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


def _meant(word: str) -> str:
    import difflib

    known = {name: name for name in COMMANDS} | OTHER_WORDS
    close = difflib.get_close_matches(word, known, 1, 0.6)
    if not close:
        return "trainctl checkpoint --help"
    return f"did you mean trainctl checkpoint {known[close[0]]}?"


@click.group("checkpoint", cls=Lazy, help=HELP, invoke_without_command=True)
@click.pass_context
def checkpoint_command(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        output.line(ctx.get_help())
