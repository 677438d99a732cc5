"""Do what was decided about a run: the effects of reconcile, each safe to come twice."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from trainctl.control import attempts, journal
from trainctl.control.decide import Action, Decision
from trainctl.control.wiring import Here
from trainctl.errors import BusyError, ProviderError, TrainctlError
from trainctl.kit import launch
from trainctl.kit.choosing import Checker
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Handle, Observation, Phase, Platform
from trainctl.records import job as jobs
from trainctl.records.record import Record

_CHANGES = frozenset((Action.SUBMIT, Action.STOP, Action.RETRY, Action.FINISH))


class Target(NamedTuple):
    """The attempt of a living run that should be there now."""

    run: RunFolder
    record: Record
    number: int
    platform: Platform
    handle: Handle


def apply(here: Here, target: Target, seen: Observation, decision: Decision) -> bool:
    """Do what was decided; whether that changed something."""
    match decision.action:
        case Action.WATCH:
            target.platform.watch(target.handle)
        case Action.STOP:
            _stop(here, target)
        case Action.SUBMIT:
            _submit(here, target)
        case Action.RETRY | Action.FINISH:
            _judge(here, target, seen, decision)
        case Action.WAIT | Action.WARN:
            pass
    return decision.action in _CHANGES


def _stop(here: Here, target: Target) -> None:
    stop = target.record.asked.stop
    grace = stop.grace_seconds if stop else 0.0
    target.platform.stop(target.handle, timedelta(seconds=grace))
    fields = {"attempt": target.number}
    # If somebody asked again meanwhile, perhaps with less grace, that is still to be told.
    journal.note_if_unchanged(here, target.run, target.record, "stop_sent", fields)


def _submit(here: Here, target: Target) -> None:
    """The intent first: who writes it asks the platform; a crash after it shows by a look."""
    run, number = target.run, target.number
    job = jobs.read(run)
    asked = number in target.record.asked.requested
    plan = launch.read(run, number) if asked else None
    if plan is None:
        checker = Checker(here.home.manifests)
        choice = launch.choose(run, job.to_json(), number, checker)
        plan = launch.render_retry(run, job.to_json(), number, choice.path)
    fields = {"attempt": number, "automatic": plan.automatic, "from": plan.resumed_from}
    with journal.unchanged(run, target.record) as still:
        if not still:
            return
        plan.write(run, number)
        journal.append(here, run, "attempt_requested", {**fields, "by": journal.me()})
    try:
        attempts.submit(here, run, job, number, plan)
    except (BusyError, ProviderError):  # to be asked again, under the same number
        raise
    except TrainctlError as error:
        attempts.refused(here, run, number, error)


def _judge(here: Here, target: Target, seen: Observation, decision: Decision) -> None:
    """Write how it ended. What is only absent is told to end first: a listing can lag for long."""
    if seen.phase is Phase.GONE:
        target.platform.stop(target.handle, timedelta(0))
    again = decision.action is Action.RETRY
    fields = {
        "attempt": target.number,
        "reason": decision.reason,
        "evidence": decision.evidence,
        "next": target.number + 1 if again else None,
        "delay_seconds": decision.delay_seconds,
        "why": decision.why,
        "started": seen.started,
        "ended": seen.ended or seen.at,
    }
    with journal.unchanged(target.run, target.record) as still:
        if not still:
            return
        if not again:
            launch.forget_environment(target.run)
        journal.append(here, target.run, "judged", fields)
