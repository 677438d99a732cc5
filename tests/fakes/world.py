"""Control over a platform in memory: run folders on a fast disk, a hand clock, no process."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, Self

from tests.fakes import jobs
from tests.fakes.clock import HandClock
from tests.fakes.memory import MemoryPlatform
from trainctl import config
from trainctl.control import attempts, journal, reconcile
from trainctl.control.reconcile import Looked
from trainctl.control.wiring import Here
from trainctl.errors import BusyError
from trainctl.kit import launch
from trainctl.kit.names import Home, RunFolder
from trainctl.records import job as jobs_of
from trainctl.records import record
from trainctl.records.record import Record

_FAST = "/dev/shm"


@contextmanager
def folder() -> Iterator[str]:
    """A folder where a sync costs nothing, as far as there is one."""
    path = tempfile.mkdtemp(dir=_FAST if os.access(_FAST, os.W_OK) else None)
    try:
        yield path
    finally:
        shutil.rmtree(path)


class World(NamedTuple):
    here: Here
    clock: HandClock
    platform: MemoryPlatform

    @classmethod
    def at(cls, path: str, clock: HandClock, platform: MemoryPlatform) -> World:
        settings = config.load(path, {"HOME": path})
        here = Here(path, {}, settings, Home(path), clock, {platform.name: platform})
        return cls(here, clock, platform)

    def run(self, name: str) -> RunFolder:
        return self.here.home.run(name)

    def read(self, name: str) -> Record:
        return record.read(self.run(name))

    def look(self, *names: str) -> list[Looked]:
        return reconcile.reconcile(self.here, names)

    def start(self, name: str, **changes: Any) -> RunFolder:
        """What `trainctl run` does, once it knows the job. Raises what the platform raises."""
        run = self.run(name)
        created = self.clock.now()
        job = jobs.new_run(
            self.here.home, name, self.platform.name, ["train"], created=created, **changes
        )
        asked = {"platform": self.platform.name, "by": journal.me()}
        journal.note(self.here, run, "submitted", asked)
        plan = launch.render(run, job.to_json(), 1)
        plan.write(run, 1)
        attempts.start(self.here, run, job, 1, plan)
        return run

    def resume(self, name: str) -> None:
        """What `trainctl resume` does, once it knows the checkpoint."""
        run, found = self.run(name), self.look(name)[0].record
        if found.living:
            raise BusyError(f"{name} is {found.state}")
        job = jobs_of.read(run)
        number = (found.last.number if found.last else 0) + 1
        plan = launch.render(run, job.to_json(), number)
        with journal.unchanged(run, found) as still:
            if not still:
                raise BusyError("somebody else was faster")
            launch.write_environment(run, {})
            plan.write(run, number)
            asked = {"attempt": number, "by": journal.me()}
            journal.append(self.here, run, "resumed", asked)
        attempts.start(self.here, run, job, number, plan)


class KilledError(BaseException):
    """The command was killed here; no code of ours may catch this."""


class Lines:
    """Calls `at` before each line of control's own code, with the line's place.

    A kill between any two lines, or another command's step, without a seam made for tests.
    """

    FILES = ("apply.py", "attempts.py", "journal.py", "reconcile.py", "stop.py")

    def __init__(self, at: Callable[[str], None]) -> None:
        self._at = at

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        path = frame.f_code.co_filename
        ours = path.endswith(self.FILES) and os.sep + "control" + os.sep in path
        return self._line if ours else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._at(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return self._line


def at_line(number: int, act: Callable[[], None]) -> Lines:
    """Do this once, before that line from now."""
    left = iter(range(number, -1, -1))

    def at(place: str) -> None:
        if next(left, None) == 0:
            act()

    return Lines(at)


@contextmanager
def killed(number: int, home: str) -> Iterator[None]:
    """Within this context, control dies before that line of its own code, if it comes so far.

    Nothing it would still have done is done; the kernel frees the locks that it held.
    """

    def die() -> None:
        raise KilledError

    try:
        with at_line(number, die):
            yield
    except KilledError:
        _free_locks(home)


def _free_locks(home: str) -> None:
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if path.startswith(home) and path.endswith(".lock"):
            os.close(int(name))
