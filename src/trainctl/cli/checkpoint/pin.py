"""`trainctl checkpoint pin` and `unpin`: what no rule may remove."""

from __future__ import annotations

import os

import click

from trainctl.cli import output, stand
from trainctl.telemetry.escapes import neutralise

PIN_HELP = """\
Never prune these checkpoints, whatever rules say; here, or in a store by URL. One of a run may be
told as RUN/NAME or RUN/STEP.

\b
Examples:
  trainctl checkpoint pin out/checkpoint-400
  trainctl checkpoint pin train-7f/400
  trainctl checkpoint pin s3://bucket/checkpoints/runs/train-7f3k/1-400-0a1b2c3d4e5f
"""
UNPIN_HELP = """\
Let pruning decide about these checkpoints again.

\b
Examples:
  trainctl checkpoint unpin out/checkpoint-400
"""
_JSON = click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")


@click.command("pin", help=PIN_HELP)
@click.argument("what", nargs=-1, required=True, metavar="PATH|URL...")
@_JSON
def pin_command(what: tuple[str, ...], *, as_json: bool) -> int:
    return _set(what, pinned=True, as_json=as_json)


@click.command("unpin", help=UNPIN_HELP)
@click.argument("what", nargs=-1, required=True, metavar="PATH|URL...")
@_JSON
def unpin_command(what: tuple[str, ...], *, as_json: bool) -> int:
    return _set(what, pinned=False, as_json=as_json)


def _set(what: tuple[str, ...], *, pinned: bool, as_json: bool) -> int:
    from trainctl.control import checkpoints, pinning

    where = checkpoints.ground(stand.folder(), dict(os.environ))
    done: list[str] = []
    for text in what:
        done.append(pinning.pin(where, text, pinned=pinned))
        if not as_json:
            output.line(f"{'pinned' if pinned else 'not pinned'}  {neutralise(done[-1])}")
    if as_json:
        name = "checkpoint.pin" if pinned else "checkpoint.unpin"
        output.print_json(name, {"pinned": pinned, "checkpoints": done})
    return 0
