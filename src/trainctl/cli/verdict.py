"""How a run ended, in one line and as an exit code."""

from __future__ import annotations

import os
import signal

from trainctl.cli import output
from trainctl.cli.words import OURS
from trainctl.records.record import AttemptRecord, Record
from trainctl.records.state import Reason, next_command


def conclude(found: Record) -> int:
    """One line after: result, time, checkpoints and the next command; returns the exit code."""
    last = found.last
    if last is None:
        output.note(f"trainctl: {found.name} {found.state}: {found.evidence}")
        return OURS
    output.note(f"trainctl: {summary(found)}")
    reason = last.reason or Reason.UNKNOWN_EXIT
    output.note(f"  next: {next_command(reason, found.name, last.evidence)}")
    return exit_code(last)


def summary(found: Record) -> str:
    """`train-7f3k succeeded after 12.3 s · 3 checkpoints, newest out/step-30.pt`."""
    last = found.last
    if last is None:
        return f"{found.name} has not started"
    took = output.duration(found.trained_seconds)
    how = "" if last.reason is Reason.SUCCEEDED else f" ({last.evidence})"
    words = str(last.reason or found.state).replace("_", " ")
    tries = f" in {len(found.attempts)} attempts" if len(found.attempts) > 1 else ""
    text = f"{found.name}: {words} after {took}{tries}{how}"
    if not found.checkpoints:
        return f"{text} · no checkpoints seen"
    newest = str(found.checkpoints[-1]["path"])
    counted = output.counted(len(found.checkpoints), "checkpoint")
    return f"{text} · {counted}, newest {near(newest)}"


def near(path: str) -> str:
    """A path as one would type it here."""
    short = os.path.relpath(path)
    return output.home_short(path) if short.startswith("..") else short


def exit_code(last: AttemptRecord) -> int:
    """The script's own code; 128 and the signal's number where one ended it, as shells have it.

    A run that was stopped before its script began ends as if SIGTERM had ended it.
    """
    if last.code is not None:
        return last.code
    if last.signal is not None:
        return 128 + last.signal
    return 128 + signal.SIGTERM if last.reason is Reason.STOPPED else OURS
