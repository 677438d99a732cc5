"""A run in the foreground: its output byte for byte, Ctrl-C a request, a closed terminal none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from trainctl.cli import output
from trainctl.cli.attention import Attention, Detached
from trainctl.cli.verdict import conclude
from trainctl.control import cards, lookup
from trainctl.control.launch import Started
from trainctl.control.wiring import Here
from trainctl.kit import files, locks
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.records import record
from trainctl.records.job import Job
from trainctl.records.record import AttemptRecord
from trainctl.telemetry.follow import copy_follow

_POLL_SECONDS = 0.005
_LONGEST_POLL_SECONDS = 0.25
_CHECK_SECONDS = 1.0


def announce(run: RunFolder, job: Job, number: int) -> None:
    """One line before: run, interpreter and why, log."""
    python = ""
    if job.interpreter is not None:
        python = f" · {output.home_short(job.interpreter['path'])} ({job.interpreter['why']})"
    log = output.home_short(run.attempt(number).log)
    output.note(f"trainctl: {run.name}{python} · log {log}")


def attend(here: Here, started: Started, attention: Attention) -> int:
    """Stream the run until it ends; returns the script's exit code, or 0 when detached."""
    run, job = started.run, started.job
    announce(run, job, started.number)
    if job.tty:
        output.note("trainctl: --tty: its output passes through the supervisor, and ends with it")
    try:
        _Watching(here, run, job, attention).until_the_end(started.number)
    except Detached as left:
        if str(left):
            output.note(f"trainctl: {left}; {run.name} goes on: trainctl logs -f {run.name}")
        return 0
    finally:
        lookup.note(here, run)
    return conclude(record.read(run))


class _Watching:
    """Follows one run's attempts. Every wait in it obeys signals and keeps the agent alive."""

    def __init__(self, here: Here, run: RunFolder, job: Job, attention: Attention) -> None:
        self._here = here
        self._run = run
        self._job = job
        self._attention = attention
        self._checked = here.clock.monotonic()

    def until_the_end(self, number: int) -> None:
        while True:
            self._stream(self._run.attempt(number))
            ended = self._closed(number)
            if ended is None or ended.next is None:
                return
            reason = str(ended.reason).replace("_", " ")
            why = f"{reason} ({ended.evidence}); {ended.why_next}"
            output.note(f"trainctl: attempt {number} ended: {why}")
            number += 1
            if not self._begun(number):
                return

    def _tick(self) -> None:
        """What is due in every wait."""
        self._attention.obey(self._here, self._run, self._job)
        now = self._here.clock.monotonic()
        if now - self._checked < _CHECK_SECONDS:
            return
        self._checked = now
        if not os.path.isdir(self._run.path):
            raise Detached("its run folder is gone")
        if not locks.is_taken(self._run.agent_lock):
            lookup.refresh(self._here, self._run)

    def _stream(self, attempt: AttemptFolder) -> None:
        """Copy one attempt's log to stdout until the attempt has written how it ended."""
        say_why_queued = _once(lambda: self._say_why_queued(attempt))
        since = self._here.clock.monotonic()

        def done() -> bool:
            self._tick()
            if self._here.clock.monotonic() - since > _CHECK_SECONDS:
                say_why_queued()
            return os.path.exists(attempt.exit)

        sys.stdout.flush()
        try:
            copy_follow(attempt.log, 0, 1, done, self._here.clock, also=[attempt.exit])
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise Detached("nobody reads the output any more") from None

    def _say_why_queued(self, attempt: AttemptFolder) -> None:
        if (files.read_json(attempt.pid) or {}).get("trainer") or os.path.exists(attempt.exit):
            return
        waits = _waits_for(self._here, self._job)
        if waits:
            output.note(f"trainctl: {self._run.name} is queued: it waits for {waits}")

    def _closed(self, number: int) -> AttemptRecord | None:
        """The attempt once its end has been judged, and its checkpoints are safe."""
        say_what_it_waits_for = _once(lambda: output.note(self._saving()))
        since = self._here.clock.monotonic()
        while True:
            attempts = {attempt.number: attempt for attempt in record.read(self._run).attempts}
            if number not in attempts or attempts[number].reason is not None:
                return attempts.get(number)
            self._tick()
            waited = self._here.clock.monotonic() - since
            if waited > _CHECK_SECONDS:
                say_what_it_waits_for()
            self._here.clock.sleep(min(_LONGEST_POLL_SECONDS, _POLL_SECONDS + waited / 20))

    def _saving(self) -> str:
        what = "hashed and sent to the store" if self._job.store else "hashed"
        skip = f"to leave it at that: trainctl stop --now {self._run.name}"
        return f"trainctl: its checkpoints are being {what}; {skip}"

    def _begun(self, number: int) -> bool:
        """Wait out the pause before a retry; False where the retry was called off."""
        while number not in self._run.attempts():
            if not record.read(self._run).living:
                return False
            self._tick()
            self._here.clock.sleep(0.05)
        return True


def _once(act: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def guarded() -> None:
        if not done:
            done.append(True)
            act()

    return guarded


def _waits_for(here: Here, job: Job) -> str:
    if job.after is not None:
        return f"{job.after} to succeed"
    taken = cards.holders(here.home, job.gpus["candidates"]) if job.gpus["count"] else {}
    return ", ".join(f"GPU {card} (taken by {run})" for card, run in taken.items())
