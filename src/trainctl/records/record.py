"""The record of a run: a fold over what both sides wrote into its folder. Reads only."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from trainctl.kit import events, files, launch
from trainctl.kit.names import RunFolder
from trainctl.records import asked as asking
from trainctl.records import saved as saving
from trainctl.records.asked import Asked, Contact, Judged
from trainctl.records.state import INTERRUPTING, LIVING, Event, Reason, State, advance

Moves = list[Event]


class AttemptRecord(NamedTuple):
    """One attempt. Times in seconds since the epoch; None where it has not come to that yet.

    checkpoints: those seen; saved: what was done about them.
    """

    number: int
    started: float | None
    ended: float | None
    trainer_pid: int | None
    gpus: list[str]
    code: int | None
    signal: int | None
    max_rss_bytes: int | None
    cpu_seconds: float | None
    reason: Reason | None
    evidence: str
    next: int | None
    why_next: str
    automatic: bool
    command: list[str]
    resumed_from: str | None
    checkpoints: list[dict[str, Any]]
    saved: list[dict[str, Any]]
    events: list[dict[str, Any]]
    moves: Moves


class Record(NamedTuple):
    """What is known of a run. `corrupt` lists the lines of its event logs that are damaged.

    events: run.jsonl as it stands; asked: what those records say together.
    """

    name: str
    path: str
    state: State
    reason: Reason | None
    evidence: str
    attempts: list[AttemptRecord]
    events: list[dict[str, Any]]
    asked: Asked
    corrupt: list[str]

    @property
    def wanted(self) -> int | None:
        """The attempt that was asked for and that nobody has seen yet; or None."""
        return self.asked.wanted([attempt.number for attempt in self.attempts])

    @property
    def living(self) -> bool:
        """Whether something runs or is about to: then its agent should be alive."""
        waits = self.state is State.INTERRUPTED and bool(self.attempts and self.attempts[-1].next)
        return self.state in LIVING or waits

    @property
    def trained_seconds(self) -> float:
        """The time of all attempts that have ended, without what lay between them."""
        return sum(
            attempt.ended - attempt.started
            for attempt in self.attempts
            if attempt.started is not None and attempt.ended is not None
        )

    @property
    def last(self) -> AttemptRecord | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def checkpoints(self) -> list[dict[str, Any]]:
        return [found for attempt in self.attempts for found in attempt.checkpoints]


def read(run: RunFolder) -> Record:
    """The record as its folder tells it now."""
    log = events.read(run.events)
    asked = asking.fold(log.records)
    corrupt = [f"{run.events}:{line}" for line in log.corrupt]
    numbers = sorted({*run.attempts(), *asked.numbers})
    attempts = [_attempt(run, number, asked, corrupt) for number in numbers]
    state = _fold(attempts, asked)
    last = attempts[-1] if attempts else None
    settled = last if state in (State.ENDED, State.INTERRUPTED) else None
    return Record(
        name=run.name,
        path=run.path,
        state=state,
        reason=settled.reason if settled else None,
        evidence=settled.evidence if settled else "",
        attempts=attempts,
        events=log.records,
        asked=asked,
        corrupt=corrupt,
    )


def _fold(attempts: list[AttemptRecord], asked: Asked) -> State:
    state = State.QUEUED
    for position, attempt in enumerate(attempts):
        if position:
            before = attempts[position - 1]
            state = _settle(state, before)
            goes_on = attempt.automatic and state is State.INTERRUPTED
            state = advance(state, Event.RETRIED if goes_on else Event.RESUMED)
        for move in attempt.moves:
            state = advance(state, move)
    wanted = asked.wanted([attempt.number for attempt in attempts])
    request = None if wanted is None else asked.requested.get(wanted)
    if attempts and request is not None:
        state = _settle(state, attempts[-1])
        goes_on = request.automatic and state is State.INTERRUPTED
        state = advance(state, Event.RETRIED if goes_on else Event.RESUMED)
    return state


def _settle(state: State, attempt: AttemptRecord) -> State:
    """A successor exists, so the attempt is over, even where its own last words are lost."""
    if state in (State.ENDED, State.INTERRUPTED):
        return state
    if state is not State.SAVING:
        state = advance(state, Event.EXITED)
    return advance(state, Event.CLOSED if attempt.next is None else Event.LOST)


def _attempt(run: RunFolder, number: int, asked: Asked, corrupt: list[str]) -> AttemptRecord:
    folder = run.attempt(number)
    seen = events.read(folder.events)
    saved = events.read(folder.checkpoints)
    corrupt.extend(f"{folder.events}:{line}" for line in seen.corrupt)
    corrupt.extend(f"{folder.checkpoints}:{line}" for line in saved.corrupt)
    pid = files.read_json(folder.pid) or {}
    exited = files.read_json(folder.exit)
    how = exited or {}
    plan = launch.read(run, number)
    contact = asked.contacts.get(number, Contact())
    end = _end(seen.records, asked.judged.get(number), pid)
    reason = _reason(end.reason) if end else None
    began = bool(pid.get("trainer")) or contact.running_since is not None
    return AttemptRecord(
        number=number,
        started=pid.get("started", end.started if end and end.started else contact.running_since),
        ended=how.get("ended", end.ended if end else None),
        trainer_pid=pid["trainer"]["pid"] if pid.get("trainer") else None,
        gpus=pid.get("gpus") or [],
        code=how.get("code"),
        signal=how.get("signal"),
        max_rss_bytes=how.get("max_rss_bytes"),
        cpu_seconds=how.get("cpu_seconds"),
        reason=reason,
        evidence=end.evidence if end else "",
        next=end.next if end else None,
        why_next=end.why if end else "",
        automatic=plan is not None and plan.automatic,
        command=plan.command if plan else [],
        resumed_from=plan.resumed_from if plan else None,
        checkpoints=saving.fold(saved.records),
        saved=saving.others(saved.records),
        events=seen.records,
        moves=_moves(plan, end, began=began, exited=exited is not None),
    )


def _end(seen: list[dict[str, Any]], judged: Judged | None, pid: dict[str, Any]) -> Judged | None:
    """How it ended, as its host closed it; as a controller judged it, where the host could not.

    A controller that judged an attempt as never begun is refuted by the waiter's own pid.
    """
    closed = _last(seen, "closed")
    if closed is None:
        refuted = judged is not None and judged.reason == Reason.SETUP_FAILED and bool(pid)
        return None if refuted else judged
    cancelled = _last(seen, "retry_cancelled") is not None
    return Judged(
        at=float(closed["at"]),
        reason=str(closed.get("reason")),
        evidence=str(closed.get("evidence", "")),
        next=None if cancelled else closed.get("next"),
        why=str(closed.get("why", "")),
    )


def _moves(plan: launch.Launch | None, end: Judged | None, *, began: bool, exited: bool) -> Moves:
    moves: Moves = []
    if plan is not None and not plan.gpus["count"] and plan.after is None:
        moves.append(Event.CLAIMED)
    if began:
        moves.append(Event.STARTED)
    if exited or end is not None:
        moves.append(Event.EXITED)
    if end is not None:
        interrupted = end.next is not None or _reason(end.reason) in INTERRUPTING
        moves.append(Event.LOST if interrupted else Event.CLOSED)
    return moves


def _last(records: list[dict[str, Any]], event: str) -> dict[str, Any] | None:
    return next((record for record in reversed(records) if record["event"] == event), None)


def _reason(text: object) -> Reason:
    try:
        return Reason(str(text))
    except ValueError:  # a newer kit knows reasons that this controller does not
        return Reason.UNKNOWN_EXIT


def exists(run: RunFolder) -> bool:
    return os.path.isfile(run.job)
