"""`trainctl init`: look at the project, say what was found, and write a first trainctl.toml."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from typing import Any, NamedTuple

import click

from trainctl.cli import output
from trainctl.cli.stand import folder
from trainctl.config import FILE, Place, project_place
from trainctl.errors import RefusedError, TrainctlError
from trainctl.telemetry.escapes import neutralise

HELP = """\
Look at this project and write a trainctl.toml for it: every key with what it does and what was
found here. Nothing is run, and a file that is there is never replaced unasked.

\b
Examples:
  trainctl init            look, say what was found, write trainctl.toml
  trainctl init --print    only print the file that would be written
  trainctl init --yes      replace the one that is there, without asking
"""


class Plan(NamedTuple):
    """What would be written. old: what stands there now, None when nothing does.

    other: settings elsewhere that hold here until this file is written.
    """

    path: str
    text: str
    old: str | None
    other: Place | None
    findings: tuple[str, ...]
    script: str | None

    @property
    def diff(self) -> list[str]:
        """Unified; empty when nothing would change."""
        if self.old is None:
            return []
        import difflib

        before, after = self.old.splitlines(), self.text.splitlines()
        names = f"{FILE} as it is", f"{FILE} as proposed"
        return list(difflib.unified_diff(before, after, *names, n=2, lineterm=""))


@click.command("init", help=HELP)
@click.option("--print", "only_print", is_flag=True, help="Print the proposal; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before replacing a file.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def init_command(*, only_print: bool, yes: bool, as_json: bool) -> int:
    plan = _plan(folder())
    if not as_json:
        _say(plan, only_print=only_print)
    writes = not only_print and plan.old != plan.text
    if writes:
        _confirm(plan, yes=yes, may_ask=not as_json)
        _write(plan)
    if as_json:
        output.print_json("init", _to_json(plan, written=writes))
    elif not only_print:
        _say_next(plan, written=writes)
    return 0


def _plan(cwd: str) -> Plan:
    from trainctl.control.propose import propose
    from trainctl.control.pythons import world_of
    from trainctl.kit import gpus

    path = os.path.join(cwd, FILE)
    proposal = propose(world_of(cwd, dict(os.environ)), gpus.look())
    return Plan(path, proposal.text, _old(path), _other(path), proposal.findings, proposal.script)


def _other(path: str) -> Place | None:
    place = project_place(os.path.dirname(path))
    return None if place is None or place.path == path else place


def _old(path: str) -> str | None:
    """What stands there, in whatever encoding. Raises RefusedError where it is no file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise RefusedError(f"{path} is not a file", hint=f"ls -ld {shlex.quote(path)}")
        with open(path, encoding="utf-8", errors="backslashreplace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainctlError(
            f"{path} cannot be read: {error.strerror}", hint=f"ls -l {shlex.quote(path)}"
        ) from error


def _say(plan: Plan, *, only_print: bool) -> None:
    if only_print:
        output.line(neutralise(plan.text.rstrip("\n"), multiline=True))
        return
    output.line(f"Found in {neutralise(output.home_short(os.path.dirname(plan.path)))}:")
    for finding in plan.findings:
        output.line(f"  {neutralise(finding)}")
    if plan.other:
        output.line(f"  {neutralise(plan.other.path)} has settings that hold here")
    if plan.diff:
        output.line("")
    for text in plan.diff:
        output.line(_coloured(neutralise(text)))


def _coloured(text: str) -> str:
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1])
    return click.style(text, fg=colour) if colour and output.has_colour() else text


def _confirm(plan: Plan, *, yes: bool, may_ask: bool) -> None:
    if plan.other and os.path.dirname(plan.other.path) == os.path.dirname(plan.path):
        raise RefusedError(
            f"[{plan.other.section}] in {plan.other.path} holds this project's settings already",
            hint="copy from the proposal what you like: trainctl init --print",
        )
    if plan.old is None or yes:
        return
    if not (may_ask and sys.stdin.isatty()):
        raise RefusedError(
            f"{plan.path} is there already, and nobody is here to ask; nothing was changed",
            hint="trainctl init --yes, or only look: trainctl init --print",
        )
    if not click.confirm(f"Replace {FILE}?", default=False, err=True):
        raise RefusedError(f"{FILE} stays as it is", hint="copy from it: trainctl init --print")


def _write(plan: Plan) -> None:
    from trainctl.kit import files

    path = os.path.realpath(plan.path)  # a link stays a link
    try:
        files.write_atomic(path, plan.text.encode(), _mode(path))
    except OSError as error:
        raise TrainctlError(
            f"{plan.path} cannot be written: {error.strerror}",
            hint=f"ls -ld {shlex.quote(os.path.dirname(path))}; or see it: trainctl init --print",
        ) from error


def _mode(path: str) -> int:
    """Its own, when it is there; a project's file is for all who may see the project."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o666  # the umask has the last word


def _say_next(plan: Plan, *, written: bool) -> None:
    output.note(f"trainctl: {'wrote ' + plan.path if written else FILE + ' is as proposed'}")
    if plan.other:
        output.note(f"trainctl: {plan.other.path} holds in this folder no more")
    script = os.path.relpath(plan.script, os.path.dirname(plan.path)) if plan.script else "SCRIPT"
    output.note(f"  next: trainctl run {neutralise(shlex.quote(script))}")


def _to_json(plan: Plan, *, written: bool) -> dict[str, Any]:
    return {
        "path": plan.path,
        "existed": plan.old is not None,
        "written": written,
        "script": plan.script,
        "findings": plan.findings,
        "text": plan.text,
        "diff": plan.diff,
    }
