"""A run in the foreground: its output byte for byte, Ctrl-C as a request, a closed terminal as none."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from trainctl.cli import output
from trainctl.control import lookup, stop
from trainctl.control.wiring import Here
from trainctl.kit import locks
from trainctl.kit.names import RunFolder
from trainctl.platforms.protocol import Handle
from trainctl.runs import record
from trainctl.runs.job import Job
from trainctl.runs.record import AttemptRecord, Record
from trainctl.runs.state import Reason, next_command
from trainctl.telemetry.follow import copy_follow

OURS = 125
UNKNOWN_EXIT = 1
_POLL_SECONDS = 0.005
_CHECK_SECONDS = 1.0


class _Detached(Exception):
    """The terminal was closed, or we were asked to leave; the run is not."""


def announce(run: RunFolder, job: Job, number: int) -> None:
    """One line before: run, interpreter and why, log."""
    python = ""
    if job.interpreter is not None:
        python = f" · {output.home_short(job.interpreter['path'])} ({job.interpreter['why']})"
    log = output.home_short(run.attempt(number).log)
    output.note(f"trainctl: {run.name}{python} · log {log}")


def attend(here: Here, run: RunFolder, job: Job, handle: Handle, number: int) -> int:
    """Stream the run until it ends; returns the script's exit code, or 0 when detached."""
    announce(run, job, number)
    if job.tty:
        output.note("trainctl: --tty: its output passes through the supervisor, and ends with it")
    attention = _Attention(here, run, job)
    attention.install()
    try:
        while True:
            _stream(here, run, handle, number, attention)
            ended = _closed(here, run, handle, number)
            if ended.next is None:
                break
            output.note(
                f"trainctl: attempt {number} ended: {ended.reason} ({ended.evidence}); {ended.why_next}"
            )
            if not _next_started(here, run, handle, number):
                break
            number += 1
    except _Detached as left:
        if str(left):
            output.note(f"trainctl: {left}; {run.name} goes on: trainctl logs -f {run.name}")
        return 0
    finally:
        lookup.note(here, run)
    return _conclude(run, record.read(run))


def _stream(
    here: Here, run: RunFolder, handle: Handle, number: int, attention: _Attention
) -> None:
    """Copy one attempt's log to stdout until the attempt has written how it ended."""
    attempt = run.attempt(number)
    checked = here.clock.monotonic()

    def done() -> bool:
        nonlocal checked
        attention.obey()
        now = here.clock.monotonic()
        if now - checked > _CHECK_SECONDS:
            checked = now
            here.platforms["local"].watch(handle)
        return os.path.exists(attempt.exit) or not os.path.isdir(attempt.path)

    sys.stdout.flush()
    try:
        copy_follow(attempt.log, 0, 1, done, here.clock, also=[attempt.exit])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise _Detached("nobody reads the output any more") from None


def _closed(here: Here, run: RunFolder, handle: Handle, number: int) -> AttemptRecord:
    """The attempt once its end has been judged."""
    checked = here.clock.monotonic()
    while True:
        attempts = {attempt.number: attempt for attempt in record.read(run).attempts}
        if number not in attempts or attempts[number].reason is not None:
            return attempts.get(number) or next(iter(attempts.values()))
        if here.clock.monotonic() - checked > _CHECK_SECONDS:
            checked = here.clock.monotonic()
            here.platforms["local"].watch(handle)
        here.clock.sleep(_POLL_SECONDS)


def _next_started(here: Here, run: RunFolder, handle: Handle, number: int) -> bool:
    """Wait out the pause before a retry; False where the retry was called off."""
    checked = here.clock.monotonic()
    while number + 1 not in run.attempts():
        if not record.read(run).living:
            return False
        if here.clock.monotonic() - checked > _CHECK_SECONDS:
            checked = here.clock.monotonic()
            if not locks.is_taken(run.agent_lock):
                here.platforms["local"].watch(handle)
        here.clock.sleep(0.05)
    return True


class _Attention:
    """Signals become wishes that the streaming loop obeys; nothing happens inside a handler."""

    def __init__(self, here: Here, run: RunFolder, job: Job) -> None:
        self._here = here
        self._run = run
        self._job = job
        self._presses = 0
        self._obeyed = 0
        self._left: str | None = None

    def install(self) -> None:
        signal.signal(signal.SIGINT, self._pressed)
        signal.signal(signal.SIGTERM, lambda *_: self._leave("asked to leave"))
        signal.signal(signal.SIGHUP, lambda *_: self._leave(""))

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._presses += 1

    def _leave(self, why: str) -> None:
        self._left = why

    def obey(self) -> None:
        if self._left is not None:
            raise _Detached(self._left)
        if self._presses == self._obeyed:
            return
        first = self._obeyed == 0
        self._obeyed = self._presses
        name, grace = self._run.name, self._job.grace_seconds
        if first and self._presses == 1:
            output.note(
                f"trainctl: asked {name} to stop; it has {grace:.0f} s to save. "
                "Ctrl-C again ends it at once"
            )
            stop.ask(self._here, self._run)
        else:
            output.note(f"trainctl: ending {name} now")
            stop.ask(self._here, self._run, stop.NOW)


def _conclude(run: RunFolder, found: Record) -> int:
    """One line after: result, time, checkpoints and the next command."""
    last = found.last
    if last is None:
        return OURS
    output.note(f"trainctl: {summary(found)}")
    reason = last.reason or Reason.UNKNOWN_EXIT
    output.note(f"  next: {next_command(reason, run.name)}")
    return exit_code(last)


def summary(found: Record) -> str:
    """`train-7f3k succeeded after 12.3 s · 3 checkpoints, newest out/step-30.pt`."""
    last = found.last
    if last is None:
        return f"{found.name} has not started"
    began = next((a.started for a in found.attempts if a.started), None) or 0.0
    took = output.duration((last.ended or began) - began)
    how = "" if last.reason is Reason.SUCCEEDED else f" ({last.evidence})"
    words = str(last.reason or found.state).replace("_", " ")
    tries = f" in {len(found.attempts)} attempts" if len(found.attempts) > 1 else ""
    text = f"{found.name} {words} after {took}{tries}{how}"
    if not found.checkpoints:
        return f"{text} · no checkpoints seen"
    newest = str(found.checkpoints[-1]["path"])
    return f"{text} · {len(found.checkpoints)} checkpoints, newest {_near(newest)}"


def _near(path: str) -> str:
    short = os.path.relpath(path)
    return output.home_short(path) if short.startswith("..") else short


def exit_code(last: AttemptRecord) -> int:
    """The script's own code; 128 and the signal's number where one ended it, as shells have it."""
    if last.code is not None:
        return last.code
    if last.signal is not None:
        return 128 + last.signal
    started = last.reason not in (Reason.SETUP_FAILED, Reason.NO_CAPACITY)
    return UNKNOWN_EXIT if started and last.reason is not Reason.STOPPED else OURS
