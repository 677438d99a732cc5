"""`trainctl checkpoint pull`: fetch a checkpoint from a store, whole or not at all."""

from __future__ import annotations

from typing import Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint.meter import Meter
from trainctl.telemetry.escapes import neutralise

HELP = """\
Fetch a checkpoint: by its URL, or the newest of a run (or that of a step) from the store --from,
else the run's own, else the one that the setting `store` names.

It lands in the current folder under its own name, or where DEST says; every byte is checked
before it is there. A pull that was cut off is gone on with. Any object or prefix may be fetched
by its URL, too.

\b
Examples:
  trainctl checkpoint pull train-7f
  trainctl checkpoint pull train-7f/400 out/
  trainctl checkpoint pull s3://bucket/team/runs/train-7f/1-400-5f3a9c0d1e2b
  trainctl checkpoint pull s3://bucket/models/llama.safetensors
"""


@click.command("pull", help=HELP)
@click.argument("what", metavar="URL|RUN[/STEP]")
@click.argument("dest", required=False, metavar="[DEST]")
@click.option("--from", "of", metavar="STORE", help="Of a run: s3://BUCKET/PREFIX or a folder.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def pull_command(what: str, dest: str | None, *, of: str | None, as_json: bool) -> int:
    from trainctl.control import transfer

    here = stand.here()
    found = transfer.find(here, what, of)
    path = transfer.place(here, found, dest)
    with Meter(f"fetching {neutralise(found.name)}", found.size) as meter:
        pulled = transfer.pull(here, found, path, meter.add)
    for finding in pulled.findings:
        output.note(f"trainctl: {neutralise(stand.near(path))}: {neutralise(finding)}")
    data: dict[str, Any] = {
        "url": found.url,
        "path": path,
        "size": found.size,
        "id": pulled.manifest.id if pulled.manifest else None,
        "findings": list(pulled.findings),
    }
    if as_json:
        output.print_json("checkpoint.pull", data)
    else:
        output.line(f"{neutralise(stand.near(path))}  {output.size(found.size)}")
    return 1 if pulled.findings else 0
