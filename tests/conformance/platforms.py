"""The platforms under the conformance suite, and how a test talks to each of them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tests.fakes import jobs
from tests.fakes.clock import HandClock
from tests.fakes.memory import Life, MemoryPlatform
from trainctl.clock import SystemClock
from trainctl.kit import locks
from trainctl.kit.names import Home, RunFolder
from trainctl.platforms.local import LocalPlatform
from trainctl.platforms.protocol import Attempt, Handle, Offer, Phase, Platform
from trainctl.records.job import Job

PATIENCE_SECONDS = 30.0


class Work(StrEnum):
    """What a trainer does; every platform's kit can make each."""

    ENDLESS = "endless"  # until it is stopped, politely
    STUBBORN = (
        "stubborn"  # writes `deaf\n` once it ignores SIGTERM, and goes on until it is killed
    )
    SUCCEEDS = "succeeds"
    FAILS = "fails"
    SPEAKS = "speaks"  # writes `one\ntwo\n`, and goes on


class Kit(Protocol):
    """A platform, and the world around it as far as a test must turn it."""

    @property
    def platform(self) -> Platform: ...

    def attempt(self, work: Work, *, retries: int = 0) -> Attempt:
        """The first attempt of a new run."""
        ...

    def offer(self, attempt: Attempt) -> Offer: ...

    def comes_true(self, question: Callable[[], bool]) -> bool:
        """Whether it does, in time; time passes meanwhile."""
        ...

    def trainers(self, run: str) -> int:
        """How many trainers of a run live now, told by another witness than the platform."""
        ...

    def another_controller(self) -> Platform:
        """The same platform, as a command that knows nothing yet comes to it."""
        ...

    def wait_until_nothing_watches(self) -> None:
        """Until no supervisor is left that could still do something."""
        ...

    def close(self) -> None: ...


def start(kit: Kit, attempt: Attempt) -> Handle:
    return kit.platform.submit(attempt, kit.offer(attempt))


def phase(kit: Kit, handle: Handle) -> Phase:
    return kit.platform.observe([handle])[handle].phase


LIVES = {
    Work.ENDLESS: Life(queued=2),
    Work.STUBBORN: Life(queued=2, polite=False, output=b"deaf\n"),
    Work.SUCCEEDS: Life(queued=2, runs=5),
    Work.FAILS: Life(queued=2, runs=5, reason="failed"),
    Work.SPEAKS: Life(queued=2, output=b"one\ntwo\n"),
}


class MemoryKit:
    def __init__(self, folder: Path) -> None:
        self._clock = HandClock()
        self._home = Home(str(folder))
        self._works: dict[str, Work] = {}
        self._names = (f"run-{count}" for count in itertools.count())
        self._jobs: dict[str, Job] = {}
        self.platform = MemoryPlatform(self._clock, self._life)

    def _life(self, attempt: Attempt) -> Life:
        return LIVES[self._works[attempt.run]]

    def attempt(self, work: Work, *, retries: int = 0) -> Attempt:
        name = next(self._names)
        self._works[name] = work
        self._jobs[name] = jobs.new_run(self._home, name, "memory", [str(work)], retries=retries)
        return jobs.attempt_of(self._home, self._jobs[name], 1)

    def offer(self, attempt: Attempt) -> Offer:
        return next(iter(self.platform.offers(self._jobs[attempt.run])))

    def comes_true(self, question: Callable[[], bool]) -> bool:
        for _ in range(int(PATIENCE_SECONDS)):
            if question():
                return True
            self._clock.advance(1)
        return False

    def trainers(self, run: str) -> int:
        return len(self.platform.living(run))

    def another_controller(self) -> Platform:
        return self.platform  # its machines are nowhere else

    def wait_until_nothing_watches(self) -> None:
        pass

    def close(self) -> None:
        pass


SOURCES = {
    Work.ENDLESS: "import time; time.sleep(600)",
    Work.STUBBORN: "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(600)",
    Work.SUCCEEDS: "import time; time.sleep(0.3)",
    Work.FAILS: "import time; time.sleep(0.3); raise SystemExit(3)",
    Work.SPEAKS: r"import time; print('one\ntwo', flush=True); time.sleep(600)",
}


class LocalKit:
    def __init__(self, folder: Path) -> None:
        self._home = Home(str(folder))
        self._jobs: dict[str, Job] = {}
        self.platform = LocalPlatform(self._home, SystemClock())

    def attempt(self, work: Work, *, retries: int = 0) -> Attempt:
        name = f"{work}-{len(self._jobs)}"
        trainer = jobs.python(SOURCES[work])
        self._jobs[name] = jobs.new_run(self._home, name, "local", trainer, retries=retries)
        return jobs.attempt_of(self._home, self._jobs[name], 1)

    def offer(self, attempt: Attempt) -> Offer:
        return next(iter(self.platform.offers(self._jobs[attempt.run])))

    def comes_true(self, question: Callable[[], bool]) -> bool:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            if question():
                return True
            time.sleep(0.02)
        return False

    def trainers(self, run: str) -> int:
        mark = b"\0TRAINCTL_RUN_DIR=" + os.fsencode(self._home.run(run).path) + b"\0"
        return sum(mark in b"\0" + _environment(name) for name in os.listdir("/proc"))

    def another_controller(self) -> Platform:
        return LocalPlatform(self._home, SystemClock())

    def close(self) -> None:
        """Leave no process behind."""
        for run in self._started():
            self.platform.stop(self.platform.handle(run.name, run.attempts()[-1]), timedelta(0))
        self.wait_until_nothing_watches()

    def _started(self) -> list[RunFolder]:
        return [run for run in map(self._home.run, self._jobs) if run.attempts()]

    def wait_until_nothing_watches(self) -> None:
        for run in self._started():
            assert self.comes_true(lambda run=run: not locks.is_taken(run.agent_lock)), run.path


def _environment(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""


KITS: dict[str, Callable[[Path], Kit]] = {"memory": MemoryKit, "local": LocalKit}
