"""The record of a run: a fold over what both sides wrote into its folder. Reads only."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from trainctl.kit import events, files, launch
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.runs.state import INTERRUPTING, LIVING, Event, Reason, State, advance

Moves = list[Event]


class AttemptRecord(NamedTuple):
    """One attempt. Times in seconds since the epoch; None where it has not come to that yet."""

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
    events: list[dict[str, Any]]
    moves: Moves


class Record(NamedTuple):
    """What is known of a run. `corrupt` lists the lines of its event logs that are damaged."""

    name: str
    path: str
    state: State
    reason: Reason | None
    evidence: str
    attempts: list[AttemptRecord]
    events: list[dict[str, Any]]
    corrupt: list[str]

    @property
    def living(self) -> bool:
        """Whether something runs or is about to: then its agent should be alive."""
        waits = self.state is State.INTERRUPTED and bool(self.attempts and self.attempts[-1].next)
        return self.state in LIVING or waits

    @property
    def last(self) -> AttemptRecord | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def checkpoints(self) -> list[dict[str, Any]]:
        return [found for attempt in self.attempts for found in attempt.checkpoints]


def read(run: RunFolder) -> Record:
    """The record as its folder tells it now."""
    asked = events.read(run.events)
    corrupt = [f"{run.events}:{line}" for line in asked.corrupt]
    attempts = [_attempt(run, number, corrupt) for number in run.attempts()]
    state = _fold(attempts, asked.records)
    last = attempts[-1] if attempts else None
    settled = last if state in (State.ENDED, State.INTERRUPTED) else None
    return Record(
        name=run.name,
        path=run.path,
        state=state,
        reason=settled.reason if settled else None,
        evidence=settled.evidence if settled else "",
        attempts=attempts,
        events=asked.records,
        corrupt=corrupt,
    )


def _fold(attempts: list[AttemptRecord], asked: list[dict[str, Any]]) -> State:
    state = State.QUEUED
    for position, attempt in enumerate(attempts):
        if position:
            before = attempts[position - 1]
            state = _settle(state, before)
            goes_on = attempt.automatic and state is State.INTERRUPTED
            state = advance(state, Event.RETRIED if goes_on else Event.RESUMED)
        for move in attempt.moves:
            state = advance(state, move)
    requested = [int(event["attempt"]) for event in asked if event["event"] == "resumed"]
    if attempts and requested and requested[-1] > attempts[-1].number:
        state = advance(_settle(state, attempts[-1]), Event.RESUMED)
    return state


def _settle(state: State, attempt: AttemptRecord) -> State:
    """A successor exists, so the attempt is over, even where its own last words are lost."""
    if state in (State.ENDED, State.INTERRUPTED):
        return state
    if state is not State.SAVING:
        state = advance(state, Event.EXITED)
    return advance(state, Event.CLOSED if attempt.next is None else Event.LOST)


def _attempt(run: RunFolder, number: int, corrupt: list[str]) -> AttemptRecord:
    folder = run.attempt(number)
    seen = events.read(folder.events)
    saved = events.read(folder.checkpoints)
    corrupt.extend(f"{folder.events}:{line}" for line in seen.corrupt)
    corrupt.extend(f"{folder.checkpoints}:{line}" for line in saved.corrupt)
    pid = files.read_json(folder.pid) or {}
    ended = files.read_json(folder.exit)
    closed = _last(seen.records, "closed")
    cancelled = _last(seen.records, "retry_cancelled") is not None
    plan = launch.read(run, number)
    reason = _reason(closed.get("reason")) if closed else None
    following = None if cancelled or not closed else closed.get("next")
    how = ended or {}
    return AttemptRecord(
        number=number,
        started=pid.get("started"),
        ended=how.get("ended"),
        trainer_pid=pid["trainer"]["pid"] if pid.get("trainer") else None,
        gpus=pid.get("gpus") or [],
        code=how.get("code"),
        signal=how.get("signal"),
        max_rss_bytes=how.get("max_rss_bytes"),
        cpu_seconds=how.get("cpu_seconds"),
        reason=reason,
        evidence=str(closed.get("evidence", "")) if closed else "",
        next=following,
        why_next=str(closed.get("why", "")) if closed else "",
        automatic=plan is not None and plan.automatic,
        command=plan.command if plan else [],
        resumed_from=plan.resumed_from if plan else None,
        checkpoints=saved.records,
        events=seen.records,
        moves=_moves(plan, pid, ended is not None, reason, following),
    )


def _moves(
    plan: launch.Launch | None,
    pid: dict[str, Any],
    exited: bool,
    reason: Reason | None,
    following: int | None,
) -> Moves:
    moves: Moves = []
    if plan is not None and not plan.gpus["count"] and plan.after is None:
        moves.append(Event.CLAIMED)
    if pid.get("trainer"):
        moves.append(Event.STARTED)
    if exited:
        moves.append(Event.EXITED)
    if exited and reason is not None:
        interrupted = following is not None or reason in INTERRUPTING
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


def attempt_folder(run: RunFolder, record: Record) -> AttemptFolder | None:
    return run.attempt(record.attempts[-1].number) if record.attempts else None
