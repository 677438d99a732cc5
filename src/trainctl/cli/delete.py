"""`trainctl delete`: records and logs, never what a script has written elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.errors import RefusedError

if TYPE_CHECKING:
    from trainctl.control.remove import Doomed

HELP = """\
Remove runs: record, log, and what lies in the run folder. Outputs elsewhere stay.

\b
Examples:
  trainctl delete train-7f --dry-run
  trainctl delete train-7f eval-2k --yes
"""


@click.command("delete", help=HELP)
@click.argument("runs", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def delete_command(runs: tuple[str, ...], **given: Any) -> int:
    from trainctl.control import lookup, remove

    here = stand.here()
    doomed = [remove.look(here, lookup.find(here, run)) for run in runs]
    if not given["as_json"]:
        for one in doomed:
            output.note(
                f"trainctl: {'would remove' if given['dry_run'] else 'removes'} {_said(one)}"
            )
    if not given["dry_run"]:
        _confirm(yes=given["yes"])
        for one in doomed:
            remove.delete(here, one)
    if given["as_json"]:
        removed = [{"name": d.run.name, "bytes": d.size_bytes} for d in doomed]
        output.print_json("run.delete", {"dry_run": given["dry_run"], "runs": removed})
    return 0


def _said(doomed: Doomed) -> str:
    inside = (
        f", with {doomed.checkpoints_inside} files of checkpoints"
        if doomed.checkpoints_inside
        else ""
    )
    return f"{output.home_short(doomed.run.path)} ({output.size(doomed.size_bytes)}{inside})"


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError("nothing was removed: nobody is here to ask", hint="add --yes")
    if not click.confirm("Remove?", default=False, err=True):
        raise RefusedError("nothing was removed")
