"""Stop runs: a request that outlives whoever made it, and a wait that may be left."""

from __future__ import annotations

from trainctl.control import journal, lookup
from trainctl.control.wiring import Here
from trainctl.errors import TrainctlError
from trainctl.kit import people
from trainctl.kit.names import RunFolder
from trainctl.records import job as jobs
from trainctl.records.record import Record

NOW = 0.0
CLOSING_SECONDS = 15.0  # how long an agent may take to close what has no process any more


def ask(here: Here, run: RunFolder, grace_seconds: float | None = None) -> Record:
    """Ask the run to end: SIGTERM, the grace (the job's own if None), SIGKILL. Ended is done.

    The wish is written first. Whoever looks next tells it to whatever attempt there is by then,
    also to one that another command is just starting.
    """
    from trainctl.control.reconcile import reconcile

    found = lookup.refresh(here, run)
    if not found.living:
        return found
    grace = jobs.read(run).grace_seconds if grace_seconds is None else grace_seconds
    journal.note(here, run, "stop_requested", {"grace_seconds": grace})
    reconcile(here, [run.name])
    return found


def wait(here: Here, run: RunFolder, patience_seconds: float | None = None) -> Record:
    """The record once the run lives no more, or as it is when the patience is over."""
    give_up = None if patience_seconds is None else here.clock.monotonic() + patience_seconds
    while True:
        found = lookup.refresh(here, run)
        if not found.living or (give_up is not None and here.clock.monotonic() >= give_up):
            return found
        here.clock.sleep(0.05)


def wait_at_once(here: Here, run: RunFolder) -> Record:
    """The record once the run, which was asked to end NOW, lives no more.

    Raises TrainctlError where its processes are gone and yet no agent closes it.
    """
    gone = False
    while True:
        found = wait(here, run, CLOSING_SECONDS)
        if not found.living:
            return found
        before, gone = gone, _is_gone(here, run, found)
        if before and gone:
            raise TrainctlError(
                f"no process of {run.name} is left, but its agent does not close it",
                hint=f"why: {run.agent_log}",
            )


def _is_gone(here: Here, run: RunFolder, found: Record) -> bool:
    """Only of what an agent beside it closes; of other hosts no process is seen from here."""
    platform = here.platforms.get(found.asked.platform)
    if platform is None or not platform.traits.retries_itself:
        return False
    return not (people.living(run) or people.is_supervised(run))
