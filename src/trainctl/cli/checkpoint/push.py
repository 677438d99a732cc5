"""`trainctl checkpoint push`: send checkpoints to a store, each whole, none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.cli.checkpoint.meter import Meter
from trainctl.telemetry.escapes import neutralise

if TYPE_CHECKING:
    from trainctl.control.wiring import Here
    from trainctl.kit.stores.protocol import Store

HELP = """\
Send a checkpoint to the store: a path, or the newest complete one of a run; left out: of the
newest run.

What has no manifest yet is checked and gets one. What the store has by hash is not sent again; a
push that was cut off is gone on with. The store is --to, else the run's own, else the setting
`store`: s3://BUCKET/PREFIX, or a folder.

\b
Examples:
  trainctl checkpoint push
  trainctl checkpoint push out/checkpoint-400 --to s3://bucket/team
  trainctl checkpoint push train-7f --all
"""


@click.command("push", help=HELP)
@click.argument("what", required=False, metavar="[CKPT|RUN|RUN/STEP]")
@click.option("--to", metavar="STORE", help="s3://BUCKET/PREFIX or a folder.")
@click.option("--all", "everything", is_flag=True, help="All complete ones of the run.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def push_command(what: str | None, *, to: str | None, everything: bool, as_json: bool) -> int:
    from trainctl.control import transfer

    here = stand.here()
    meant = transfer.meant(here, what, everything=everything)
    store = transfer.store_for(here, to, what, "--to STORE")
    pushed = [_push(here, store, one, as_json=as_json) for one in meant]
    if as_json:
        output.print_json("checkpoint.push", {"store": store.url, "checkpoints": pushed})
    return 0


def _push(here: Here, store: Store, one: Any, *, as_json: bool) -> dict[str, Any]:
    from trainctl.control import transfer

    name = neutralise(stand.near(one.path))
    with Meter(f"hashing {name}", 0) as meter:
        manifest = transfer.manifest_of(here, one, meter.add)
    is_there = transfer.is_there(store, manifest)
    with Meter(f"sending {name}", manifest.size) as meter:
        shelved = transfer.push(store, manifest, meter.add)
    url = f"{store.url.rstrip('/')}/{shelved.key}"
    if not as_json:
        already = "  there already" if is_there else ""
        output.line(f"{name}  {output.size(shelved.size)}  {neutralise(url)}{already}")
    return {"path": one.path, "url": url, **shelved._asdict()}
