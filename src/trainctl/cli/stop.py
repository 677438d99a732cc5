"""`trainctl stop`: a request that holds whether or not anybody waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trainctl.cli import output, stand
from trainctl.errors import TrainctlError, UsageError

if TYPE_CHECKING:
    from trainctl.control.wiring import Here
    from trainctl.kit.names import RunFolder

HELP = """\
End runs gracefully: SIGTERM, the run's grace to save, then SIGKILL to all it has started.

\b
Examples:
  trainctl stop               the newest run
  trainctl stop train-7f --grace 5m
  trainctl stop --now train-7f
"""


@click.command("stop", help=HELP)
@click.argument("runs", nargs=-1)
@click.option("--now", is_flag=True, help="No grace: SIGKILL at once.")
@click.option("--grace", metavar="30s", help="Instead of the run's own.")
@click.option("--no-wait", is_flag=True, help="Ask, and return.")
@click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
def stop_command(runs: tuple[str, ...], **given: Any) -> int:
    from trainctl.control import lookup

    here = stand.here()
    grace = _grace(given)
    folders = [lookup.find(here, run) for run in (runs or (None,))]
    results = [_stop(here, folder, grace, given) for folder in folders]
    if given["as_json"]:
        output.print_json("run.stop", results)
    return 0


def _grace(given: dict[str, Any]) -> float | None:
    from trainctl import config
    from trainctl.control import stop

    if given["now"]:
        return stop.NOW
    if given["grace"] is None:
        return None
    try:
        return config.duration(given["grace"])
    except ValueError:
        raise UsageError(
            f"--grace {given['grace']!r} is no duration", hint="write 30s or 5m"
        ) from None


def _stop(
    here: Here, folder: RunFolder, grace: float | None, given: dict[str, Any]
) -> dict[str, Any]:
    from trainctl.cli.verdict import summary
    from trainctl.control import lookup, stop

    before = stop.ask(here, folder, grace)
    if not before.living:
        output.note(f"trainctl: {folder.name} has ended already: {before.reason or before.state}")
        return {"name": folder.name, "state": before.state, "reason": before.reason}
    output.note(f"trainctl: asked {folder.name} to stop")
    wait = stop.wait_at_once if grace == stop.NOW else stop.wait
    found = before if given["no_wait"] else wait(here, folder)
    lookup.note(here, folder)
    if not given["no_wait"]:
        output.note(f"trainctl: {summary(found)}")
        if found.living:
            raise TrainctlError(f"{folder.name} is still {found.state}")
        output.note(f"  next: trainctl resume {folder.name}")
    return {"name": folder.name, "state": found.state, "reason": found.reason}
