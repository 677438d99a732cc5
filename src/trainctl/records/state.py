"""A run's states, what moves it between them, and why it can end: the one table."""

from __future__ import annotations

from enum import StrEnum

from trainctl.errors import IllegalTransitionError
from trainctl.kit import reasons


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SAVING = "saving"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Event(StrEnum):
    CLAIMED = "claimed"  # queued -> starting
    STARTED = "started"  # queued | starting -> running
    EXITED = "exited"  # queued | starting | running -> saving
    CLOSED = "closed"  # saving -> ended
    LOST = "lost"  # saving -> interrupted: it can go on, and nobody has yet said so
    RETRIED = "retried"  # interrupted -> queued, by the policy
    RESUMED = "resumed"  # interrupted | ended -> queued, by a person


class Reason(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    PREEMPTED = "preempted"
    HOST_LOST = "host_lost"
    HOST_FAULT = "host_fault"
    SUPERSEDED = "superseded"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    DEADLINE = "deadline"
    BUDGET = "budget"
    IDLE = "idle"
    STALLED = "stalled"
    DIVERGED = "diverged"
    CRASH_LOOP = "crash_loop"
    SETUP_FAILED = "setup_failed"
    SAVE_FAILED = "save_failed"
    NO_CAPACITY = "no_capacity"
    UNKNOWN_EXIT = "unknown_exit"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.CLAIMED): State.STARTING,
    (State.QUEUED, Event.STARTED): State.RUNNING,
    (State.STARTING, Event.STARTED): State.RUNNING,
    (State.QUEUED, Event.EXITED): State.SAVING,
    (State.STARTING, Event.EXITED): State.SAVING,
    (State.RUNNING, Event.EXITED): State.SAVING,
    (State.SAVING, Event.CLOSED): State.ENDED,
    (State.SAVING, Event.LOST): State.INTERRUPTED,
    (State.INTERRUPTED, Event.RETRIED): State.QUEUED,
    (State.INTERRUPTED, Event.RESUMED): State.QUEUED,
    (State.ENDED, Event.RESUMED): State.QUEUED,
}

# The machine failed the run, not the run itself: such an end leaves it waiting to go on.
INTERRUPTING = frozenset(
    (Reason.PREEMPTED, Reason.HOST_LOST, Reason.HOST_FAULT, Reason.UNKNOWN_EXIT)
)
LIVING = frozenset((State.QUEUED, State.STARTING, State.RUNNING, State.SAVING))

NEXT_COMMAND: dict[Reason, str] = {
    Reason.SUCCEEDED: "trainctl show {run}",
    Reason.OUT_OF_MEMORY: "with a smaller batch: trainctl resume {run} ARGS",
    Reason.DISK_FULL: "with room on the disk: trainctl resume {run}",
    Reason.FAILED: "once it is mended: trainctl resume {run}",
    Reason.CRASH_LOOP: "once it is mended: trainctl resume {run}",
    Reason.SETUP_FAILED: "once it is mended: trainctl resume {run}",
    Reason.NO_CAPACITY: "trainctl resume --wait {run}",
}


def advance(state: State, event: Event) -> State:
    """The state after an event. Raises IllegalTransitionError where the table has none."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(f"a run that is {state} cannot take {event}") from None


def next_command(reason: Reason, run: str, evidence: str = "") -> str:
    """What to type after such an end. Where somebody has killed it, nothing is to be mended."""
    if reason is Reason.FAILED and reasons.OUTSIDE in evidence:
        return f"trainctl resume {run}"
    return NEXT_COMMAND.get(reason, "trainctl resume {run}").format(run=run)
