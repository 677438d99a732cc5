"""What to do about a run after one look at it: a pure question, answered with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from trainctl.kit import retry
from trainctl.platforms.protocol import Observation, Phase, Traits
from trainctl.records.asked import Contact


class Action(StrEnum):
    WAIT = "wait"
    WATCH = "watch"  # nobody looks after it: start its agent again
    SUBMIT = "submit"  # it should be there and is not: start it, under the same number
    STOP = "stop"  # a person asked for its end, and it has not been told
    RETRY = "retry"  # write down how it ended, and that another follows
    FINISH = "finish"  # write down how it ended, and leave it
    WARN = "warn"  # nothing can be known: say so, and start nothing


class Patience(NamedTuple):
    """How long silence, absence and a start under way are borne.

    gone_seconds: two looks so far apart that both found nothing make it gone.
    """

    silence_seconds: float = 600.0
    gone_seconds: float = 30.0
    claim_seconds: float = 60.0


class Known(NamedTuple):
    """What the record says of the attempt that was looked at. Times by the controller's clock.

    contact: what looks have shown, this one included; None while nobody has ever seen it.
    requested: when a platform was last asked to start it; None while none was, or the one who
    asked is dead.
    due: when it may start. startable: how to start it is known.
    stopping: a person asked for the run's end; told: this attempt has heard of it.
    """

    contact: Contact | None
    requested: float | None = None
    due: float = 0.0
    startable: bool = True
    stopping: bool = False
    told: bool = False


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


_TELL = Decision(Action.STOP, "a person asked for its end")
_WATCH = Decision(Action.WATCH, "its agent is not alive")


def decide(
    seen: Observation, known: Known, past: Past, traits: Traits, patience: Patience
) -> Decision:
    """What to do, and why."""
    match seen.phase:
        case Phase.UNKNOWN:
            return _silent(seen, known, patience)
        case _ if traits.retries_itself:
            return _on_its_own(seen, known, patience)
        case Phase.GONE if known.contact is None:
            return _not_started(seen, known, patience)
        case Phase.ENDED:
            return _ended(seen, known, past)
        case _ if known.stopping and not known.told:
            return _TELL
        case Phase.GONE:
            return _gone(seen, known, past, patience)
        case _ if not seen.watched:
            return _WATCH
        case _:
            return Decision(Action.WAIT, f"it is {seen.phase}")


def remembered(contact: Contact | None, seen: Observation) -> Contact | None:
    """What is known of an attempt after this look, too."""
    before = contact or Contact()
    match seen.phase:
        case Phase.PENDING:
            return Contact(before.running_since)
        case Phase.ACTIVE:
            return Contact(before.running_since or seen.started or seen.at)
        case Phase.GONE if contact is not None:
            return Contact(before.running_since, None, before.gone_since or seen.at)
        case Phase.UNKNOWN if contact is not None:
            return before._replace(silent_since=before.silent_since or seen.at)
        case _:
            return contact


def _silent(seen: Observation, known: Known, patience: Patience) -> Decision:
    """Never start another on silence: two would run, and both would bill."""
    since = (known.contact.silent_since if known.contact else known.requested) or seen.at
    silent = seen.at - since
    action = Action.WARN if silent > patience.silence_seconds else Action.WAIT
    return Decision(action, f"no answer for {silent:.0f} s", evidence=seen.evidence)


def _on_its_own(seen: Observation, known: Known, patience: Patience) -> Decision:
    """Its host judges and retries: it only needs to hear of a stop, and an agent that lives."""
    if known.stopping and not known.told:
        return _TELL
    if known.contact is None and _starting(seen, known, patience):
        return Decision(Action.WAIT, "it is being started")
    return Decision(Action.WAIT, f"it is {seen.phase}") if seen.watched else _WATCH


def _starting(seen: Observation, known: Known, patience: Patience) -> bool:
    """Whether somebody asked for it lately. A clock set back does not make it so for ever."""
    return known.requested is not None and abs(seen.at - known.requested) < patience.claim_seconds


def _not_started(seen: Observation, known: Known, patience: Patience) -> Decision:
    """Nobody has seen it: it is not due, or on its way, or whoever wanted to start it died."""
    if _starting(seen, known, patience):
        return Decision(Action.WAIT, "it is being started")
    if known.stopping:
        return Decision(Action.FINISH, _TELL.why, "stopped", "before it started")
    if seen.at < known.due:
        return Decision(Action.WAIT, f"it starts in {known.due - seen.at:.0f} s")
    if not known.startable:
        why = "trainctl was ended before it could start it"
        return Decision(Action.FINISH, why, "setup_failed", why)
    return Decision(Action.SUBMIT, "it was asked for, and is not there")


def _gone(seen: Observation, known: Known, past: Past, patience: Patience) -> Decision:
    """Absent once may be a listing that lags; absent again, after some time, is gone."""
    since = (known.contact.gone_since if known.contact else None) or seen.at
    if seen.at - since < patience.gone_seconds:
        return Decision(Action.WAIT, "not seen: to be asked again before it counts as gone")
    evidence = seen.evidence or "it is not there any more"
    reason = "stopped" if known.stopping else "host_lost"
    return _ended(seen._replace(reason=reason, evidence=evidence), known, past)


def _ended(seen: Observation, known: Known, past: Past) -> Decision:
    reason = seen.reason or "unknown_exit"
    if known.stopping:
        return Decision(Action.FINISH, _TELL.why, reason, seen.evidence)
    verdict = retry.verdict([*past.before, past.this._replace(reason=reason)], past.retries)
    if verdict.crash_loop:
        evidence = f"{verdict.why}; the last one: {seen.evidence}"
        return Decision(Action.FINISH, verdict.why, "crash_loop", evidence)
    action = Action.RETRY if verdict.again else Action.FINISH
    return Decision(action, verdict.why, reason, seen.evidence, verdict.delay_seconds)
