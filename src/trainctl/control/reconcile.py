"""Bring runs to what was asked of them: observe, decide, apply, and again until nothing is to do.

Level-triggered: every decision is made from the record and one look, never from what an earlier
call did. What is written is written only if nobody has written since the record was read, so any
number of controllers may do this at once, and each may die between any two steps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from trainctl.control import journal
from trainctl.control.apply import Target, apply
from trainctl.control.decide import Action, Decision, Known, Past, Patience, decide, remembered
from trainctl.control.wiring import Here
from trainctl.errors import BusyError, TrainctlError
from trainctl.kit import process, retry
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Observation, Phase
from trainctl.records import job as jobs
from trainctl.records import record
from trainctl.records.asked import Contact, Request
from trainctl.records.record import AttemptRecord, Record

ROUNDS = 6  # judge, ask, see: more is never needed, and less is mended by the next call


class Looked(NamedTuple):
    """One run after it was looked after. decision: the last one; None where it lives no more."""

    run: RunFolder
    record: Record
    decision: Decision | None

    @property
    def warning(self) -> str | None:
        """What a person should know; None where nothing is wrong."""
        warns = self.decision is not None and self.decision.action is Action.WARN
        return self.decision.why if self.decision is not None and warns else None


def reconcile(
    here: Here, run_names: Sequence[str], patience: Patience | None = None
) -> list[Looked]:
    """Look after these runs, in as few questions as there are platforms. WARN is to be shown."""
    done: dict[str, Looked] = {}
    moving = list(run_names)
    for _ in range(ROUNDS):
        targets = _targets(here, moving, done)
        moving.clear()
        for target, seen in _observe(targets):
            looked, again = _look_after(here, target, seen, patience or Patience())
            done[target.run.name] = looked
            if again:
                moving.append(target.run.name)
        if not moving:
            break
    return [done[name] for name in run_names]


def _targets(here: Here, names: Sequence[str], done: dict[str, Looked]) -> list[Target]:
    """What is to be looked at; what lives no more is done, with the decision that ended it."""
    targets: list[Target] = []
    for name in names:
        run = here.home.run(name)
        found = record.read(run)
        target = _target(here, run, found)
        if target is not None:
            targets.append(target)
        else:
            decision = done[name].decision if name in done else _out_of_reach(here, found)
            done[name] = Looked(run, found, decision)
    return targets


def _target(here: Here, run: RunFolder, found: Record) -> Target | None:
    platform = here.platforms.get(found.asked.platform)
    number = found.wanted or (found.last.number if found.last else None)
    if not found.living or platform is None or number is None:
        return None
    return Target(run, found, number, platform, platform.handle(run.name, number))


def _out_of_reach(here: Here, found: Record) -> Decision | None:
    if not found.living or found.asked.platform in here.platforms:
        return None
    return Decision(Action.WARN, f"nothing here can reach {found.asked.platform}")


def _observe(targets: Sequence[Target]) -> list[tuple[Target, Observation]]:
    """One question for each platform."""
    asked: dict[str, list[Target]] = {}
    for target in targets:
        asked.setdefault(target.platform.name, []).append(target)
    seen: list[tuple[Target, Observation]] = []
    for those in asked.values():
        answers = those[0].platform.observe([target.handle for target in those])
        seen.extend((target, answers[target.handle]) for target in those)
    return seen


def _look_after(
    here: Here, target: Target, seen: Observation, patience: Patience
) -> tuple[Looked, bool]:
    """One look, and whether it changed something, so that another is due."""
    try:
        target, contact = _remember(here, target, seen)
        known = _known(target, contact, seen)
        traits = target.platform.traits
        decision = decide(seen, known, _past(target, seen), traits, patience)
        changed = apply(here, target, seen, decision)
    except BusyError as error:  # somebody else is at it
        decision, changed = Decision(Action.WAIT, error.message), False
    except (TrainctlError, OSError) as error:
        decision, changed = Decision(Action.WARN, str(error)), False
    return Looked(target.run, target.record, decision), changed


def _remember(here: Here, target: Target, seen: Observation) -> tuple[Target, Contact | None]:
    """What looks have shown, kept between commands; where the host keeps no record of its own."""
    before = target.record.asked.contacts.get(target.number)
    if target.platform.traits.retries_itself:
        there = target.record.wanted != target.number
        return target, remembered(before or (Contact() if there else None), seen)
    now = remembered(before, seen)
    if now is None or now == before:
        return target, now
    fields = {"attempt": target.number, **now._asdict()}
    if not journal.note_if_unchanged(here, target.run, target.record, "contact", fields):
        raise BusyError(f"another trainctl is looking after {target.run.name}")
    return target._replace(record=record.read(target.run)), now


def _known(target: Target, contact: Contact | None, seen: Observation) -> Known:
    asked, number = target.record.asked, target.number
    planned = asked.judged.get(number - 1)
    due = planned.at + planned.delay_seconds if planned and planned.at <= seen.at else 0.0
    startable = contact is not None or planned is not None or _has_plan(target)
    return Known(
        contact=contact,
        requested=None if contact else _being_started(asked.requested.get(number)),
        due=due,
        startable=startable,
        stopping=asked.stop is not None,
        told=number in asked.stop_sent,
    )


def _being_started(request: Request | None) -> float | None:
    """When it was asked for, unless the one who asked died over it."""
    if request is None or (request.by and not process.is_alive(process.identity_of(request.by))):
        return None
    return request.at


def _has_plan(target: Target) -> bool:
    return os.path.exists(target.run.launch(target.number))


def _past(target: Target, seen: Observation) -> Past:
    found, number = target.record, target.number
    if target.platform.traits.retries_itself or seen.phase not in (Phase.ENDED, Phase.GONE):
        return Past([], _this(found, number, seen), 0)
    before = [_before(attempt) for attempt in found.attempts if attempt.number < number]
    return Past(before, _this(found, number, seen), jobs.read(target.run).retries)


def _before(attempt: AttemptRecord) -> retry.Ended:
    seconds = (attempt.ended or 0.0) - attempt.started if attempt.started else 0.0
    reason = str(attempt.reason or "unknown_exit")
    return retry.Ended(reason, seconds, bool(attempt.checkpoints), attempt.automatic)


def _this(found: Record, number: int, seen: Observation) -> retry.Ended:
    """The attempt that was looked at; it may have come and gone without being seen before."""
    attempt = found.last if found.last and found.last.number == number else None
    started = seen.started or (attempt.started if attempt else None)
    seconds = (seen.ended or seen.at) - started if started else 0.0
    request = found.asked.requested.get(number)
    automatic = attempt.automatic if attempt else bool(request and request.automatic)
    return retry.Ended("", seconds, bool(attempt and attempt.checkpoints), automatic)
