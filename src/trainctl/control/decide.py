"""What to do about a run after one look at it: a pure question, answered with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from trainctl.kit import retry
from trainctl.platforms.protocol import Observation, Phase, Traits


class Action(StrEnum):
    WAIT = "wait"
    WATCH = "watch"  # nobody looks after it: start its agent again
    RETRY = "retry"  # write down how it ended, and start the next attempt
    FINISH = "finish"  # write down how it ended, and leave it
    WARN = "warn"  # nothing can be known: say so, and start nothing


class Patience(NamedTuple):
    """How long silence and absence are borne."""

    silence_seconds: float = 600.0
    gone_sightings: int = 2
    gone_seconds: float = 30.0


class Contact(NamedTuple):
    """What earlier looks have shown. Times by the controller's clock, in seconds."""

    last_answer: float
    gone_since: float | None = None
    gone_sightings: int = 0


class Past(NamedTuple):
    """What a retry is judged by.

    before: the attempts that ended, oldest first. this: the one that was looked at, whose reason
    is not known yet. retries: how many were asked for.
    """

    before: Sequence[retry.Ended]
    this: retry.Ended
    retries: int


class Decision(NamedTuple):
    action: Action
    why: str
    reason: str | None = None
    evidence: str = ""
    delay_seconds: float = 0.0


def decide(
    seen: Observation,
    contact: Contact,
    past: Past,
    traits: Traits,
    patience: Patience,
) -> Decision:
    """What to do, and why."""
    match seen.phase:
        case Phase.PENDING | Phase.ACTIVE if not seen.watched:
            return Decision(Action.WATCH, "its agent is not alive")
        case Phase.PENDING | Phase.ACTIVE:
            return Decision(Action.WAIT, f"it is {seen.phase}")
        case Phase.UNKNOWN:  # never start another on silence: two would run, and both would bill
            silent = seen.at - contact.last_answer
            warn = silent > patience.silence_seconds
            return Decision(Action.WARN if warn else Action.WAIT, f"no answer for {silent:.0f} s")
        case Phase.GONE:
            return _gone(seen, contact, past, traits, patience)
        case Phase.ENDED:
            return _ended(seen, past, traits)


def _gone(
    seen: Observation,
    contact: Contact,
    past: Past,
    traits: Traits,
    patience: Patience,
) -> Decision:
    """Absent once may be a listing that lags; absent more than once, over some time, is gone."""
    if traits.retries_itself:
        return Decision(Action.WATCH, "it is gone, and its host has not yet said why")
    since = seen.at if contact.gone_since is None else contact.gone_since
    often_enough = contact.gone_sightings + 1 >= patience.gone_sightings
    if not often_enough or seen.at - since < patience.gone_seconds:
        return Decision(Action.WAIT, "not seen: to be asked again before it counts as gone")
    lost = seen._replace(reason="host_lost", evidence=seen.evidence or "it is not there any more")
    return _ended(lost, past, traits)


def _ended(seen: Observation, past: Past, traits: Traits) -> Decision:
    reason = seen.reason or "unknown_exit"
    if traits.retries_itself:
        return Decision(Action.FINISH, "its host has said why", reason, seen.evidence)
    verdict = retry.verdict([*past.before, past.this._replace(reason=reason)], past.retries)
    if verdict.crash_loop:
        return Decision(Action.FINISH, verdict.why, "crash_loop", seen.evidence)
    action = Action.RETRY if verdict.again else Action.FINISH
    return Decision(action, verdict.why, reason, seen.evidence, verdict.delay_seconds)
