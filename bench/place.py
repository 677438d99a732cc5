"""Where a benchmark works: a folder that is removed afterwards, with state of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from bench.measure import wait_until
from trainctl.kit import locks
from trainctl.kit.names import RunFolder

HERE = Path(__file__).parent
# What a shell happens to carry and would be measured with our own commands.
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "VIRTUAL_ENV", "COLUMNS")


class Place:
    """quick: fewer rounds and smaller floods, for trying out; the numbers then prove nothing."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.path = tempfile.mkdtemp(prefix="trainctl-bench-")
        self.home = os.path.join(self.path, "home")
        self.python = sys.executable
        self.trainctl = os.path.join(os.path.dirname(sys.executable), "trainctl")
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name not in _UNWANTED and not name.startswith("TRAINCTL_")
        }
        self.env["TRAINCTL_HOME"] = self.home
        os.chdir(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        os.chdir("/")
        shutil.rmtree(self.path, ignore_errors=True)

    def rounds(self, many: int) -> int:
        return max(3, many // 5) if self.quick else many

    def start(self, *words: str) -> RunFolder:
        """A detached run of ours; returns as soon as it is submitted."""
        done = subprocess.run(
            [self.trainctl, "run", "--detach", *words],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return RunFolder(os.path.join(self.home, "runs", done.stdout.strip()))

    def wait(self, run: RunFolder) -> None:
        """Until the run has ended and nobody watches it any more."""
        exit_file = run.attempt(1).exit
        wait_until(lambda: os.path.exists(exit_file) and not locks.is_taken(run.agent_lock))

    def stop_all(self) -> None:
        """End what still runs in this home: after an error, or Ctrl-C."""
        runs = os.path.join(self.home, "runs")
        for name in os.listdir(runs) if os.path.isdir(runs) else ():
            run = RunFolder(os.path.join(runs, name))
            if locks.is_taken(run.agent_lock):
                command = [self.trainctl, "stop", "--now", name]
                subprocess.run(command, env=self.env, capture_output=True, check=False)

    def flood(self) -> list[str]:
        """The program that floods: C where there is a compiler, else Python."""
        program = os.path.join(self.path, "flood")
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            return [self.python, str(HERE / "flood.py")]
        if not os.path.exists(program):
            subprocess.run([compiler, "-O2", "-o", program, HERE / "flood.c"], check=True)
        return [program]
