"""Ask a platform for an attempt that the run's log already asks for, and write what it said."""

from __future__ import annotations

import os

from trainctl.control import journal
from trainctl.control.wiring import Here
from trainctl.errors import BusyError, ProviderError, RefusedError, TrainctlError
from trainctl.kit.launch import Launch, forget_environment
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Attempt, Handle
from trainctl.records.asked import Contact
from trainctl.records.job import Job


def start(here: Here, run: RunFolder, job: Job, number: int, plan: Launch) -> Handle:
    """Start this attempt for a person who waits for it: a refusal ends it, and is raised."""
    try:
        return submit(here, run, job, number, plan)
    except ProviderError:  # nobody knows whether it started: the next look will tell
        raise
    except TrainctlError as error:
        refused(here, run, number, error)
        raise


def submit(here: Here, run: RunFolder, job: Job, number: int, plan: Launch) -> Handle:
    """Start this attempt once, however often it is asked. Raises as Platform.submit does."""
    platform = here.platforms[job.platform]
    offer = next(iter(platform.offers(job)), None)
    if offer is None:
        raise RefusedError(f"{platform.name} cannot run this job", hint="trainctl doctor")
    handle = platform.submit(Attempt(run.name, number, plan), offer)
    if not os.path.isdir(run.attempt(number).path):  # its folder is elsewhere: remember that it is
        journal.note(here, run, "contact", {"attempt": number, **Contact()._asdict()})
    return handle


def refused(here: Here, run: RunFolder, number: int, error: TrainctlError) -> None:
    """Write that this attempt never began, and why.

    Where somebody else is busy with the run, the trainer's environment is theirs to remove.
    """
    if not isinstance(error, BusyError):
        forget_environment(run)
    end = {"reason": "setup_failed", "evidence": error.message, "ended": here.clock.now()}
    journal.note(here, run, "judged", {"attempt": number, **end})
