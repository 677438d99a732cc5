"""This machine: a waiter and an agent beside each trainer, a folder for each run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from trainctl.clock import Clock
from trainctl.errors import BusyError, NotFoundError, RefusedError, TrainctlError
from trainctl.kit import events, files, locks, people, process, requests, spawn
from trainctl.kit.names import AttemptFolder, Home, RunFolder
from trainctl.platforms import kit_zip
from trainctl.platforms.protocol import Attempt, Files, Handle, Observation, Offer, Phase, Traits
from trainctl.records import record
from trainctl.records.job import Job

CLAIM_SECONDS = 20.0
LOCK_SECONDS = 10.0


class LocalPlatform:
    name = "local"
    traits = Traits(
        bills_by_time=False,
        queues=True,
        interrupts=False,
        survives_controller=True,
        retries_itself=True,
    )

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def offers(self, job: Job) -> Iterable[Offer]:
        wanted, there = int(job.gpus["count"]), len(job.gpus["candidates"])
        return [Offer(self.name, "this machine", 0.0)] if wanted <= there else []

    def submit(self, attempt: Attempt, offer: Offer) -> Handle:
        run = self._home.run(attempt.run)
        with locks.Lock(run.lock) as lock:
            if not lock.take(patience=LOCK_SECONDS):
                raise BusyError(
                    f"another trainctl is starting an attempt of {run.name}",
                    hint=f"trainctl show {run.name}",
                )
            if attempt.number not in run.attempts():
                self._start(run, attempt)
        self.watch(handle := self.handle(attempt.run, attempt.number))
        return handle

    def _start(self, run: RunFolder, attempt: Attempt) -> None:
        living = people.living(run) if attempt.number > 1 else []
        if living:
            raise BusyError(
                f"{run.name} still has living processes: {', '.join(map(str, living))}",
                hint=f"trainctl stop {run.name}",
            )
        attempt.launch.write(run, attempt.number)
        python = interpreter()
        kit = kit_zip.installed(self._home)
        pid = spawn.start(spawn.waiter_command(python, kit, run, attempt.number), run)
        if not self._claims(run.attempt(attempt.number), pid):
            raise TrainctlError(
                f"the supervisor of {run.name} did not start: {_last_words(run)}",
                hint="trainctl doctor",
            )

    def _claims(self, attempt: AttemptFolder, waiter: int) -> bool:
        """Whether the waiter, a child of ours, took the attempt; if not, it never will."""
        give_up = self._clock.monotonic() + CLAIM_SECONDS
        while not os.path.exists(attempt.pid):
            if _reaped(waiter):
                break
            if self._clock.monotonic() > give_up:
                process.send(waiter, signal.SIGKILL)
                while not _reaped(waiter):
                    self._clock.sleep(0.002)
                break
            self._clock.sleep(0.002)
        return os.path.isdir(attempt.path)

    def watch(self, handle: Handle) -> None:
        run = self._run(handle)
        if os.path.isdir(run.path) and not locks.is_taken(run.agent_lock):
            spawn.start(
                spawn.agent_command(interpreter(), kit_zip.installed(self._home), run), run
            )

    def observe(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        return {handle: self._observe(handle) for handle in handles}

    def _observe(self, handle: Handle) -> Observation:
        """Cheap while its agent lives: a look at a lock and at two files."""
        now = self._clock.now()
        run, attempt = self._run(handle), self._attempt(handle)
        try:
            watched = locks.is_taken(run.agent_lock)
            if not os.path.isdir(attempt.path):
                return Observation(Phase.GONE, now, watched, evidence=f"no {attempt.path}")
            if os.path.exists(attempt.exit):
                return _ended(attempt, now, watched=watched)
            newest = run.attempts()[-1] == attempt.number
            who = people.of(attempt)
            alive = (newest and watched) or any(process.is_alive(one) for one in who)
            if newest and not alive:
                alive = people.is_supervised(run) or bool(process.marked(run.path))
            there = Phase.PENDING if who.trainer is None else Phase.ACTIVE
            return Observation(there if alive else Phase.GONE, now, watched)
        except (OSError, TrainctlError, ValueError) as error:
            return Observation(Phase.UNKNOWN, now, False, evidence=str(error))

    def stop(self, handle: Handle, grace: timedelta) -> None:
        run, number = self._run(handle), self._attempt(handle).number
        if not os.path.isdir(run.path) or not record.read(run).living:
            return
        requests.ask_to_stop(run, number, grace.total_seconds(), "asked by a person")
        self.watch(handle)

    def owned(self) -> Iterable[Handle]:
        try:
            names = sorted(os.listdir(self._home.runs))
        except FileNotFoundError:
            return
        for name in names:
            run = self._home.run(name)
            for number in run.attempts()[-1:]:
                handle = self.handle(name, number)
                if self._observe(handle).phase is not Phase.ENDED:
                    yield handle

    def files(self, handle: Handle) -> Files:
        return FolderFiles(self._run(handle).path)

    def handle(self, run: str, number: int) -> Handle:
        return Handle(self.name, self._home.path, f"{run}/{number}")

    def _run(self, handle: Handle) -> RunFolder:
        return Home(handle.place).run(handle.token.rpartition("/")[0])

    def _attempt(self, handle: Handle) -> AttemptFolder:
        return self._run(handle).attempt(int(handle.token.rpartition("/")[2]))


def _ended(attempt: AttemptFolder, now: float, *, watched: bool) -> Observation:
    how = files.read_json(attempt.exit) or {}
    for seen in reversed(events.read(attempt.events).records):
        if seen["event"] == "closed":
            reason, evidence = str(seen["reason"]), str(seen["evidence"])
            times = (how.get("started"), how.get("ended"))
            return Observation(Phase.ENDED, now, watched, reason, evidence, *times)
    return Observation(Phase.ACTIVE, now, watched, evidence="its end is being judged")


class FolderFiles:
    """A run folder on a disk of this machine."""

    def __init__(self, path: str) -> None:
        self._path = path

    def names(self) -> list[str]:
        found = [
            os.path.relpath(os.path.join(parent, name), self._path)
            for parent, _, names in os.walk(self._path)
            for name in names
        ]
        return sorted(found)

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        path = os.path.normpath(os.path.join(self._path, name))
        if not path.startswith(self._path + os.sep):
            raise RefusedError(f"{name!r} is not in the run folder")
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(-1 if limit is None else limit)
        except FileNotFoundError:
            raise NotFoundError(f"{name} is not in {self._path}") from None


def interpreter() -> str:
    """The real interpreter: a version manager's shim takes longer to start than all we do."""
    base = getattr(sys, "_base_executable", None)
    return os.path.realpath(str(base or sys.executable))


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return process.identity(pid) is None


def _last_words(run: RunFolder) -> str:
    try:
        with open(run.agent_log, "rb") as file:
            lines = file.read()[-2000:].decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
