"""`trainctl completion`: a script for a shell, static but for the names of runs.

A TAB costs no start of Python: commands, options and their words stand in the script. Only where
a run's name is wanted does it ask `trainctl list`.
"""

from __future__ import annotations

import os
import sys

import click

from trainctl.cli import output
from trainctl.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
LOADING = {
    "bash": """load it in every shell: echo 'eval "$(trainctl completion bash)"' >> ~/.bashrc""",
    "zsh": """load it in every shell: echo 'eval "$(trainctl completion zsh)"' >> ~/.zshrc""",
    "fish": "keep it: trainctl completion fish > ~/.config/fish/completions/trainctl.fish",
}
HELP = """\
Print a script that completes commands, options, runs and keys at a TAB.

\b
Examples:
  eval "$(trainctl completion bash)"      this shell; in ~/.bashrc: every one
  eval "$(trainctl completion zsh)"       in ~/.zshrc, after compinit
  trainctl completion fish > ~/.config/fish/completions/trainctl.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", required=False, metavar="|".join(SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str | None) -> int:
    if shell not in SHELLS:
        mine = os.path.basename(os.environ.get("SHELL", ""))
        what = "which shell?" if shell is None else f"there is no completion for {shell!r}"
        raise UsageError(what, hint=f"trainctl completion {mine if mine in SHELLS else 'bash'}")
    output.line(script(ctx.find_root(), shell))
    if sys.stdout.isatty():
        output.note(f"trainctl: {LOADING[shell]}")
    return 0


def script(root: click.Context, shell: str) -> str:
    """The script for a shell. root: the context of the whole command line."""
    from trainctl.cli.completion import bash, fish, zsh
    from trainctl.cli.completion.shape import shapes

    write = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[shell]
    return write(shapes(root))
