r"""The command line's verbs for Python programs: start runs, find them, wait, read, stop.

import trainctl
run = trainctl.run("train.py", "--epochs", "5")
if run.wait() != 0:
    print(run.reason, *run.logs(tail=20), sep="\n")
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from trainctl.control import launch, lookup, stop
from trainctl.control import resume as resuming
from trainctl.control.wiring import Here, connect
from trainctl.errors import TrainctlError
from trainctl.kit.names import RunFolder
from trainctl.records import record
from trainctl.records.record import Record
from trainctl.records.rows import Wanted
from trainctl.telemetry import follow as following
from trainctl.telemetry import slice as slices
from trainctl.telemetry.render import Renderer, rendered

if TYPE_CHECKING:
    from trainctl.control.catalogue.rows import Shown


class Checkpoint(NamedTuple):
    """One checkpoint, as `trainctl checkpoint list` shows it. size: in bytes.

    where: `here`, `kept` (a copy of what its script overwrote) or `store`. verified: whether its
    manifest stands. incomplete: why it is not whole; empty where it is.
    """

    path: str
    step: int | None
    epoch: float | None
    loss: float | None
    size: int
    format: str
    where: str
    verified: bool
    pinned: bool
    incomplete: str


class Run:
    """One run. Every property reads its record as it is at that moment."""

    def __init__(self, here: Here, folder: RunFolder) -> None:
        self._here = here
        self._folder = folder

    def __repr__(self) -> str:
        return f"<Run {self.name} {self.state}>"

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def path(self) -> str:
        """The run folder."""
        return self._folder.path

    @property
    def record(self) -> Record:
        """All that is known: attempts, checkpoints, events."""
        return lookup.refresh(self._here, self._folder)

    @property
    def state(self) -> str:
        """`queued`, `starting`, `running`, `saving`, `interrupted` or `ended`."""
        return str(self.record.state)

    @property
    def reason(self) -> str | None:
        """Why it ended, such as `succeeded` or `out_of_memory`; None while it has not."""
        found = self.record.reason
        return str(found) if found else None

    @property
    def exit_code(self) -> int | None:
        """The script's own; 128 and its signal's number where one ended it; None until then."""
        found = self.record
        if found.living or found.last is None:
            return None
        if found.last.signal is not None:
            return 128 + found.last.signal
        return found.last.code

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the complete checkpoints that were seen, oldest first."""
        return [str(found["path"]) for found in self.record.checkpoints]

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code once the run lives no more; None where nobody saw it.

        timeout: seconds. Raises TimeoutError while it still lives then; the run goes on.
        """
        found = stop.wait(self._here, self._folder, timeout)
        lookup.note(self._here, self._folder)
        if found.living:
            raise TimeoutError(f"{self.name} is still {found.state} after {timeout} s")
        return self.exit_code

    def logs(self, *, tail: int | None = None, follow: bool = False) -> Iterator[str]:
        """The newest attempt's output as readable lines; follow: until that attempt ends."""
        attempts = record.read(self._folder).attempts
        attempt = self._folder.attempt(attempts[-1].number if attempts else 1)
        offset = 0 if tail is None else slices.tail(attempt.log, tail)

        def done() -> bool:
            ended = os.path.exists(attempt.exit) or not os.path.isdir(self._folder.path)
            return not follow or ended

        chunks = following.follow(attempt.log, offset, done, self._here.clock, also=[attempt.exit])
        for lines in rendered(chunks, Renderer(), self._here.clock):
            yield from lines

    def stop(self, *, grace_seconds: float | None = None, wait: bool = True) -> None:
        """Ask it to end: SIGTERM, the grace (the job's own if None), SIGKILL. Ended is done.

        Raises a TrainctlError where, without grace, all its processes are gone and it stays open.
        """
        stop.ask(self._here, self._folder, grace_seconds)
        if wait and grace_seconds == stop.NOW:
            stop.wait_at_once(self._here, self._folder)
        if wait:
            self.wait()

    def resume(
        self, *arguments: str, from_checkpoint: str | None = None, force: bool = False
    ) -> None:
        """Start the next attempt; from_checkpoint: `last`, `best`, a step or a path.

        force: also where the script shows no way to go on, which is refused else.
        """
        wish = resuming.Wish(wanted=from_checkpoint, arguments=list(arguments), force=force)
        resuming.resume(self._here, self._folder, wish)


def run(  # noqa: PLR0913 - the options of the command line, by name
    *command: str,
    name: str | None = None,
    gpus: int | None = None,
    retries: int | None = None,
    max_hours: float | None = None,
    env: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    checkpoint_dir: str | None = None,
    resume: str = "auto",
    cwd: str | None = None,
) -> Run:
    """Start a run in the background, as `trainctl run --detach` does.

    command: a script, `-m` and a module, or a program, with its arguments. Raises a TrainctlError,
    with nothing started, where anything speaks against it.
    """
    here = _here(cwd)
    flags = {
        "gpus": gpus,
        "retries": retries,
        "max_hours": max_hours,
        "env": list(env) if env else None,
        "tags": list(tags) if tags else None,
        "checkpoint_dir": checkpoint_dir,
    }
    settings = here.settings.with_flags(flags, here.cwd)
    request = launch.Request(typed=list(command), name=name, resume=resume)
    return Run(here, launch.start(here, request, settings).run)


def runs(*, limit: int | None = None, tag: str | None = None) -> list[Run]:
    """The runs, newest first."""
    here = _here(None)
    rows, _ = lookup.rows(here, Wanted(limit=limit, tags=[tag] if tag else []))
    return [Run(here, here.home.run(row.name)) for row in rows]


def list_checkpoints(where: str | None = None, *, limit: int | None = None) -> list[Checkpoint]:
    """Those in a folder, of a run or in a store; None: of the newest run. The newest first."""
    from trainctl.control import catalogue, checkpoints
    from trainctl.control.catalogue.rows import Wanted as Shape

    ground = checkpoints.ground(os.getcwd(), dict(os.environ))
    target = checkpoints.resolve(ground, where)
    listing = catalogue.of(ground, target, Shape(limit=limit), time.time(), lambda _: None)
    return [_checkpoint(shown) for shown in listing.shown]


def verify_checkpoint(path: str, *, deep: bool = False) -> list[str]:
    """What is wrong with a checkpoint, each a sentence; empty: every byte is as it should be.

    One that has no manifest yet gets one. deep: the format's own checksums too.
    """
    from trainctl.checkpoints import verify

    here = _here(None)
    found = verify.verify(os.path.abspath(path), here.home.manifests, deep=deep)
    return [finding.what for finding in found.findings]


def _checkpoint(shown: Shown) -> Checkpoint:
    look, facts = shown.look, shown.look.facts
    return Checkpoint(
        path=look.path,
        step=facts.step,
        epoch=facts.epoch,
        loss=facts.loss,
        size=look.size,
        format=facts.format,
        where=shown.where,
        verified=look.verified == "yes",
        pinned=look.pinned,
        incomplete=facts.incomplete,
    )


def get(name: str) -> Run:
    """The run of this name or unique beginning. Raises NotFoundError."""
    here = _here(None)
    return Run(here, lookup.find(here, name))


def _here(cwd: str | None) -> Here:
    folder = os.path.abspath(cwd) if cwd is not None else os.getcwd()
    if not os.path.isdir(folder):
        raise TrainctlError(f"{folder} is not a folder")
    return connect(folder, dict(os.environ))
