"""A home of its own, runs of the telltale trainer in it, and their processes by their marks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from trainctl.control.lookup import rows
from trainctl.control.wiring import Here, connect
from trainctl.kit import launch, process
from trainctl.kit.names import Home, RunFolder
from trainctl.records import record
from trainctl.records.record import Record
from trainctl.records.rows import Wanted

PATIENCE_SECONDS = 60.0
TRAINER = Path(__file__).with_name("trainer.py")
PYTHON = os.path.realpath(str(getattr(sys, "_base_executable", None) or sys.executable))
TRAINCTL = str(Path(sys.executable).with_name("trainctl"))


class Yard:
    """Leaves no process: what carries a mark of this home is ended, whatever a test did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(str(folder / "home"))
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "TRAINCTL_HOME": self.home.path,
        }
        (folder / "home").mkdir(mode=0o700, parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        give_up = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < give_up:
            for pid in left:
                process.send(pid, signal.SIGKILL)
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Every process of every run of this home: supervisors and trainers."""
        here = self.home.path + os.sep
        return [
            pid
            for pid in process.pids()
            for seen in [process.environment(pid)]
            if any(seen.get(m, "").startswith(here) for m in _MARKS) and process.identity(pid)
        ]

    def secrets(self) -> list[str]:
        """Files of the trainers' environments, whole or half written."""
        return sorted(str(path) for path in Path(self.home.path).rglob("*secrets.env*"))

    def place(self, name: str) -> Path:
        """Where the trainers of this run leave their traces."""
        place = self.folder / f"place-{name}"
        place.mkdir(exist_ok=True)
        return place

    def trainer(
        self, name: str, *, lines: int = 20, seconds: float = 0.4, code: int = 0
    ) -> list[str]:
        return [
            PYTHON,
            "-I",
            "-S",
            str(TRAINER),
            str(self.place(name)),
            *map(str, (lines, seconds, code)),
        ]

    def cli(self, *words: str) -> list[str]:
        return [TRAINCTL, *words]

    def call(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.cli(*words),
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def run(self, name: str) -> RunFolder:
        return self.home.run(name)

    def here(self) -> Here:
        return connect(str(self.folder), self.environ)

    def next_command(self) -> None:
        """What the next `trainctl list` does for the runs of this home."""
        rows(self.here(), Wanted(limit=None))

    def settled(self, name: str, seconds: float = PATIENCE_SECONDS) -> Record:
        """The record once the run has come to its end, with a command now and then."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            for _ in range(10):
                found = record.read(self.run(name))
                if not found.living:
                    return found
                time.sleep(0.05)
            self.next_command()
        raise AssertionError(f"{name} does not end: {record.read(self.run(name))}")

    def supervisors(self, name: str, verb: str) -> list[int]:
        """Its waiter (`wait`) or its agent (`watch`), by mark and command line; no zombie."""
        path = self.run(name).path
        return [
            pid
            for pid in process.pids()
            if process.environment(pid).get(process.SUPERVISOR_MARK) == path
            and _verb(pid) == verb
            and process.identity(pid) is not None
        ]


_MARKS = (process.RUN_MARK, process.SUPERVISOR_MARK)


def _verb(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return words[4].decode() if len(words) > 4 and words[1] == b"-I" else ""


class Traces:
    """What the trainers of one run have left."""

    def __init__(self, yard: Yard, name: str) -> None:
        self._run = yard.run(name)
        self._place = yard.place(name)

    @property
    def starts(self) -> list[int]:
        """The attempt of each trainer that ever started."""
        path = self._place / "starts"
        return (
            [int(line.split()[0]) for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )

    @property
    def doubled(self) -> bool:
        """Two trainers at once, or twice the same attempt."""
        return (self._place / "clash").exists() or len(self.starts) != len(set(self.starts))

    def log(self, attempt: int) -> bytes:
        path = Path(self._run.attempt(attempt).log)
        return path.read_bytes() if path.exists() else b""


def whole_log(lines: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(lines))


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("waited in vain")


@contextmanager
def started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the block; its words may be read from its pipes."""
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, cwd=folder, env=environ, stdout=pipe, stderr=pipe)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def job_of(run: RunFolder, command: Sequence[str], cwd: str) -> dict[str, Any]:
    """A job as control writes it, for tests that start the supervisor themselves."""
    return {
        "schema": 1,
        "name": run.name,
        "created": time.time(),
        "typed": list(command),
        "command": list(command),
        "arguments_at": len(command),
        "script": None,
        "cwd": cwd,
        "project": cwd,
        "env": {},
        "env_names": [],
        "gpus": {"count": 0, "candidates": []},
        "wait_seconds": 0.0,
        "after": None,
        "nproc": None,
        "max_seconds": None,
        "retries": 0,
        "grace_seconds": 5.0,
        "tty": False,
        "tags": [],
        "resume": {"mode": "auto", "args": [], "why": ""},
        "checkpoint_dirs": [run.checkpoints],
        "platform": "local",
    }


def prepare(home: Home, name: str, command: Sequence[str], **changes: Any) -> RunFolder:
    """A run folder that lacks only its waiter."""
    from trainctl.kit import events, files

    run = home.run(name)
    os.makedirs(home.locks, mode=0o700, exist_ok=True)
    os.makedirs(run.checkpoints, mode=0o700)
    job = {**job_of(run, command, home.path), **changes}
    launch.write_environment(run, {"PATH": os.environ.get("PATH", os.defpath)})
    dead = {"pid": 1, "start": "-", "boot": "-"}
    events.append(run.events, "submitted", {"platform": "local", "by": dead})
    files.write_json(run.job, job)
    launch.render(run, job, 1).write(run, 1)
    return run
