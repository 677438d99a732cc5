"""What the checks look at, handed to them, and what they answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from trainctl.config import Settings
from trainctl.errors import ConfigError
from trainctl.kit import gpus
from trainctl.kit.names import Home

ASK_SECONDS = 10.0

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """what: the thing looked at. detail: what was seen. remedy: what to type, where it helps."""

    level: Level
    what: str
    detail: str
    remedy: str = ""


class Answer(NamedTuple):
    """What a program said. code None: it is not there, or did not answer in time."""

    code: int | None
    text: str
    seconds: float = 0.0


def ask(command: Sequence[str]) -> Answer:
    """Run a program that should answer at once; never raises, never waits long."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(None, str(error), time.monotonic() - began)
    text = done.stdout.decode(errors="replace").strip()
    return Answer(done.returncode, text, time.monotonic() - began)


class Machine(NamedTuple):
    """home may not exist yet. root: where /proc and /etc are, so that a test can bring its own.

    problems: what is wrong with the settings. index_trouble: what is wrong with the index, if
    anything; it is a function because looking costs time.
    """

    home: Home
    settings: Settings
    cwd: str
    environ: Mapping[str, str]
    problems: Sequence[ConfigError] = ()
    index_trouble: Callable[[], str | None] = lambda: None
    python: str = sys.executable
    platform: str = sys.platform
    user: int = os.geteuid()
    root: str = "/"
    ask: Callable[[Sequence[str]], Answer] = ask
    cards: Callable[[], gpus.Cards] = gpus.look

    def read(self, path: str) -> str | None:
        """A file of the system as text, None when there is none to read."""
        try:
            with open(os.path.join(self.root, path), errors="replace") as file:
                return file.read()
        except OSError:
            return None


Check = Callable[[Machine], list[Finding]]
