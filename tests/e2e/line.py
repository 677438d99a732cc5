"""The command line as a user has it: a HOME, a state folder and a project of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

TRAINCTL = (sys.executable, "-m", "trainctl")
PATIENCE = 40.0
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "COVERAGE_PROCESS_START", "COVERAGE_FILE")


class Done(NamedTuple):
    """A command that has ended. out and err as text; bytes that are no UTF-8 are replaced."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What its JSON envelope holds."""
        return json.loads(self.out)["data"]

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.out)["error"]


class CommandLine:
    """Call it with words; it answers with code, stdout and stderr."""

    def __init__(self, folder: Path) -> None:
        self.home, self.state, self.project = (folder / n for n in ("home", "state", "project"))
        self.home.mkdir()
        self.project.mkdir()
        self.env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        python = str(Path(sys.executable).parent)
        self.env |= {
            "HOME": str(self.home),
            "TRAINCTL_HOME": str(self.state),
            "PATH": f"{python}:{self.env.get('PATH', os.defpath)}",
        }

    def __call__(self, *words: str | bytes, **env: str) -> Done:
        started = self.start(*words, **env)
        out, err = started.communicate(timeout=PATIENCE)
        return Done(started.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def start(self, *words: str | bytes, **env: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*TRAINCTL, *words],
            cwd=self.project,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ok(self, *words: str | bytes, **env: str) -> Done:
        """The same, for commands that must succeed."""
        done = self(*words, **env)
        assert done.code == 0, f"{words} ended with {done.code}\n{done.out}\n{done.err}"
        return done

    def write(self, name: str, text: str) -> Path:
        """A file in the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run_folder(self, name: str) -> Path:
        return self.state / "runs" / name

    def log(self, name: str, attempt: int = 1) -> str:
        path = self.run_folder(name) / f"attempt-{attempt}" / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def show(self, *words: str) -> dict[str, Any]:
        return self.ok("show", "--json", *words).data

    def until_rest(self, name: str) -> dict[str, Any]:
        """What `show` has once the run lives no more."""
        wait_until(lambda: not self.show(name)["living"], f"{name} to end")
        return self.show(name)

    def pid(self, name: str, who: str, attempt: int = 1) -> int:
        """The process id of a run's `waiter` or `trainer`."""
        path = self.run_folder(name) / f"attempt-{attempt}" / "pid.json"
        return int(json.loads(path.read_text())[who]["pid"])

    def agent(self, name: str) -> int:
        return int(json.loads((self.run_folder(name) / "agent.lock").read_text())["pid"])

    def end_all(self) -> None:
        """Kill, by id, whatever carries the mark of a run of ours."""
        mine = os.fsencode(f"{self.state}/runs/")
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if any(b"=" + mine in pair for pair in pairs if pair.startswith(b"TRAINCTL_")):
                    os.kill(pid, signal.SIGKILL)
            except (OSError, ValueError):
                continue


def wait_until(true: Callable[[], object], what: str = "it", seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return False
    return state not in "ZX"
