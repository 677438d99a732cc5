"""`trainctl checkpoint verify`: is it whole? Structure, then every byte."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint.meter import Meter
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.checkpoints.verify import Finding, Verified
    from trainctl.control.checkpoints import Ground

HELP = """\
Check that checkpoints are whole: structure, then every byte against the manifest, or, where there
is none yet, against the format's own checksums. One that passes without a manifest gets one.

WHAT is a checkpoint, a folder with some, a run (all of its own), one of a run as RUN/NAME or
RUN/STEP, or a URL; left out, the newest run. Exit code 0: all are whole; 1: one is damaged or
not complete, or its manifest could not be written.

\b
Examples:
  trainctl checkpoint verify out/checkpoint-400
  trainctl checkpoint verify out/ --deep
  trainctl checkpoint verify train-7f
  trainctl checkpoint verify out/last.pt --renew      your script has rewritten it since
"""


@click.command("verify", help=HELP)
@click.argument("what", nargs=-1, metavar="[PATH|RUN|URL]...")
@click.option(
    "--deep", is_flag=True, help="The format's own checksums too, where a manifest has answered."
)
@click.option("--renew", is_flag=True, help="What is there now is meant: make its manifest anew.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def verify_command(what: tuple[str, ...], *, deep: bool, renew: bool, as_json: bool) -> int:
    from trainctl.control import checkpoints, verifying

    where = checkpoints.ground(stand.folder(), dict(os.environ))
    targets = verifying.targets(where, what)
    done: list[Verified] = []
    for number, target in enumerate(targets, 1):
        with Meter(f"{number} of {len(targets)}", verifying.size(target)) as meter:
            done.append(verifying.verify(where, target, deep=deep, renew=renew, pace=meter.add))
        if not as_json:
            _print(done[-1])
    whole = all(not one.findings for one in done)
    if as_json:
        rows = [to_json(one) for one in done]
        output.print_json("checkpoint.verify", {"whole": whole, "checkpoints": rows})
    elif not whole:
        damaged = sum(1 for one in done if one.findings)
        output.note(f"{damaged} of {output.counted(len(done), 'checkpoint')} cannot be trusted")
        output.note(f"  try: {_next(where, [one for one in done if one.findings])}")
    return 0 if whole and not any(one.unfiled for one in done) else 1


def _next(where: Ground, damaged: Sequence[Verified]) -> str:
    """Where a run made the first of them, that run goes on from an older one."""
    from trainctl.kit import manifest

    path = damaged[0].path
    filed = damaged[0].manifest or manifest.read(where.home.manifests, path)
    run = filed.about.run if filed is not None else None
    if run is not None and "://" not in path and os.path.isdir(where.home.run(run).path):
        return f"trainctl resume {run}, which passes it over, or trainctl checkpoint pull"
    return "an older one: trainctl checkpoint list, or a copy: trainctl checkpoint pull"


def _print(one: Verified) -> None:
    path = neutralise(stand.near(one.path))
    if one.findings:
        output.line(f"{path}  NOT WHOLE  {output.size(one.bytes)}  {one.format}")
        for finding in one.findings:
            output.line(f"  {neutralise(finding.what)}")
        if one.was_rewritten and one.is_sound:
            path = neutralise(shlex.quote(stand.near(one.path)))
            output.line("  it was written to since its manifest was made; where that was meant:")
            output.line(f"  trainctl checkpoint verify --renew {path}")
        return
    if one.checked:
        held = " and ".join(one.checked)
        output.line(f"{path}  whole  {output.size(one.bytes)}  {one.format}  by {held}")
    else:
        output.line(f"{path}  hashed  {output.size(one.bytes)}")
        output.line("  its format is not known, so there is nothing to hold it against yet")
    if one.unfiled:
        output.line(f"  but its manifest could not be written: {neutralise(one.unfiled)}")
    if one.was_made and one.manifest is not None:
        output.line(f"  it has a manifest now: {one.manifest.id[:12]}")


def to_json(one: Verified) -> dict[str, Any]:
    return {
        "path": one.path,
        "format": one.format,
        "whole": not one.findings,
        "findings": [_finding(finding) for finding in one.findings],
        "checked": list(one.checked),
        "manifest": one.manifest.id if one.manifest and not one.unfiled else None,
        "manifest_was_made": one.was_made,
        "manifest_not_written": one.unfiled or None,
        "was_rewritten": one.was_rewritten,
        "size": one.bytes,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {**finding._asdict(), "tensors": list(finding.tensors)}
