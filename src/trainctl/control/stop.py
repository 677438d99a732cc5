"""Stop runs: a request that outlives whoever made it, and a wait that may be left."""

from __future__ import annotations

from datetime import timedelta

from trainctl.control import lookup
from trainctl.control.wiring import Here
from trainctl.errors import BusyError
from trainctl.kit import events
from trainctl.kit.names import RunFolder
from trainctl.runs import job as jobs
from trainctl.runs.record import Record

NOW = 0.0


def ask(here: Here, run: RunFolder, grace_seconds: float | None = None) -> Record:
    """Ask the run to end: SIGTERM, the grace (the job's own if None), SIGKILL.

    Already ended is done. Raises BusyError while another command is just starting it.
    """
    found = lookup.refresh(here, run)
    if not found.living:
        return found
    if found.last is None:
        raise BusyError(
            f"{run.name} is being started by another trainctl at this moment",
            hint=f"try again; if that one died, the run can go: trainctl delete {run.name}",
        )
    grace = jobs.read(run).grace_seconds if grace_seconds is None else grace_seconds
    events.append(run.events, "stop_requested", {"grace_seconds": grace})
    handle = lookup.handle_of(here, run, found.last.number)
    here.platforms["local"].stop(handle, timedelta(seconds=grace))
    return found


def wait(here: Here, run: RunFolder, patience_seconds: float | None = None) -> Record:
    """The record once the run lives no more, or as it is when the patience is over."""
    give_up = None if patience_seconds is None else here.clock.monotonic() + patience_seconds
    while True:
        found = lookup.refresh(here, run)
        if not found.living or (give_up is not None and here.clock.monotonic() >= give_up):
            return found
        here.clock.sleep(0.05)
