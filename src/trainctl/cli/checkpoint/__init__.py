"""`trainctl checkpoint`: a module per command, imported only when that command runs."""

from __future__ import annotations

import importlib
from typing import cast

import click

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
HELP = """\
Know, verify, keep, move and resume checkpoints. None is ever unpickled, no framework is needed.

\b
Examples:
  trainctl checkpoint list              those of the newest run
  trainctl checkpoint list out/         those in a folder
  trainctl checkpoint info out/last.pt
  trainctl checkpoint verify out/checkpoint-400
"""


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"trainctl.cli.checkpoint.{COMMANDS[cmd_name][0]}")
        return cast("click.Command", getattr(module, f"{cmd_name}_command"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group("checkpoint", cls=Lazy, help=HELP)
def checkpoint_command() -> None: ...
