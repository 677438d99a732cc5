"""`trainctl doctor`: what is wrong with this machine, its settings and its runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from trainctl.cli import output
from trainctl.cli.stand import folder
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.control.doctor import Finding, Machine

HELP = """\
Examine this machine, the settings, the state folder and its runs. Nothing is changed; what is
not in order comes with what to type. Exit code 1 when something fails.

\b
Examples:
  trainctl doctor
  trainctl doctor --json
"""
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor", help=HELP)
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def doctor_command(*, as_json: bool) -> int:
    from trainctl.control.doctor import examine

    findings = examine(_machine())
    count = Counter(finding.level for finding in findings)
    if as_json:
        counted = {level: count[level] for level in ("ok", "warn", "fail")}
        told = [finding._asdict() for finding in findings]
        output.print_json("doctor", {"count": counted, "findings": told})
    else:
        _print(findings)
        output.note(_summary(count["warn"], count["fail"]))
    return 1 if count["fail"] else 0


def _machine() -> Machine:
    """This machine, with whatever is right of the settings: a broken file is a finding, no end."""
    from trainctl import config
    from trainctl.control.doctor import Machine
    from trainctl.kit.names import Home
    from trainctl.records import index

    environ = dict(os.environ)
    settings, problems = config.examine(folder(), environ)
    home = Home(settings.home)
    return Machine(
        home, settings, folder(), environ, problems, index_trouble=lambda: index.trouble(home)
    )


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(_label(finding)) for finding in findings)
    for finding in findings:
        level = f"{finding.level:<4}"
        if output.has_colour():
            level = click.style(level, fg=_COLOURS[finding.level])
        detail = neutralise(output.home_short(finding.detail))
        output.line(f"{level}  {_label(finding):<{width}}  {detail}")
        if finding.remedy:
            output.line(f"{'':<{width + 8}}try: {neutralise(finding.remedy)}")


def _label(finding: Finding) -> str:
    return neutralise(output.home_short(finding.what))


def _summary(warnings: int, failures: int) -> str:
    if not warnings + failures:
        return "trainctl: all is well"
    said = [
        f"{number} {word}{'s' if number > 1 else ''}"
        for number, word in ((failures, "failure"), (warnings, "warning"))
        if number
    ]
    return f"trainctl: {', '.join(said)}"
