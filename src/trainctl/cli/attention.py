"""Signals to a command in the foreground: wishes that its loop obeys, never acts of a handler."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING

from trainctl.cli import output

if TYPE_CHECKING:
    from trainctl.control.wiring import Here
    from trainctl.kit.names import RunFolder
    from trainctl.records.job import Job


class Detached(Exception):  # noqa: N818 - no error: the run goes on
    """The terminal was closed, or we were asked to leave; the run goes on."""


class Attention:
    """Installed before the run starts, so that no press is lost; obeyed once there is a run."""

    def __init__(self) -> None:
        self._presses = 0
        self._obeyed = 0
        self._left: str | None = None
        self._begun = False

    def install(self) -> None:
        signal.signal(signal.SIGINT, self._pressed)
        signal.signal(signal.SIGTERM, self._told_to_leave)
        signal.signal(signal.SIGHUP, self._hung_up)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        self._presses += 1
        if self._presses > 1 and not self._begun:  # something hangs before there is a run
            raise KeyboardInterrupt

    def _told_to_leave(self, number: int, frame: FrameType | None) -> None:
        self._left = "asked to leave"

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        self._left = ""

    def obey(self, here: Here, run: RunFolder, job: Job) -> None:
        """Ask the run for what was wished since the last call. Raises Detached."""
        self._begun = True
        if self._left is not None:
            raise Detached(self._left)
        if self._presses == self._obeyed:
            return
        first = self._obeyed == 0 and self._presses == 1
        self._obeyed = self._presses
        _ask(here, run, job, gently=first)


def _ask(here: Here, run: RunFolder, job: Job, *, gently: bool) -> None:
    from trainctl.control import stop

    if not gently:
        output.note(f"trainctl: ending {run.name} now")
        stop.ask(here, run, stop.NOW)
        return
    grace = output.spoken(job.grace_seconds)
    output.note(
        f"trainctl: asked {run.name} to stop; it has {grace} to save. Ctrl-C again ends it at once"
    )
    stop.ask(here, run)
