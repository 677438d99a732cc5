"""Who works on a run: the waiter and the trainer of an attempt, and all that carries its mark."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Optional

from trainctl.kit import files, process
from trainctl.kit.names import AttemptFolder, RunFolder


class People(NamedTuple):
    """As the waiter noted them, living or not; None where it has not come to that."""

    waiter: Optional[process.Identity]
    trainer: Optional[process.Identity]


def of(attempt: AttemptFolder) -> People:
    record = files.read_json(attempt.pid) or {}
    return People(
        process.identity_of(record.get("waiter")), process.identity_of(record.get("trainer"))
    )


def living(run: RunFolder) -> List[int]:
    """All that would train beside a new attempt: the newest trainer, and what carries the mark.

    The trainer's own identity counts too: a setuid program hides its environment from us.
    """
    found = set(process.marked(run.path))
    for number in run.attempts()[-1:]:
        trainer = of(run.attempt(number)).trainer
        if trainer is not None and process.is_alive(trainer):
            found.add(trainer.pid)
    return sorted(found)


def oldest(run: RunFolder, attempt: int) -> Optional[process.Identity]:
    """The oldest process of an attempt: its trainer, where the waiter died before it noted one."""
    seen = [process.identity(pid) for pid in process.marked(run.path, attempt)]
    return min((who for who in seen if who is not None), key=_age, default=None)


def is_supervised(run: RunFolder) -> bool:
    """Whether a waiter lives, seen by its lock.

    Also before it has noted itself, and while the trainer it starts is not yet a program of its
    own, with the mark in its environment.
    """
    from trainctl.kit import locks

    return os.path.isdir(run.path) and locks.is_taken(run.waiter_lock)


def _age(who: process.Identity) -> tuple[int, int]:
    return (int(who.start) if who.start.isdigit() else 0, who.pid)
