"""Start waiter and agent of a prepared run as a host does, and wait for what they write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tests.torture.yard import PYTHON, Yard, prepare, wait_for
from trainctl.kit import events, files, locks, spawn
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.platforms import kit_zip


def begin(
    yard: Yard, name: str, command: Sequence[str], python: str = PYTHON, **changes: Any
) -> AttemptFolder:
    """Attempt 1, with its waiter and its agent."""
    run = prepare(yard.home, name, command, **changes)
    kit = kit_zip.installed(yard.home)
    spawn.start(spawn.waiter_command(python, kit, run, 1), run)
    wait_for(lambda: os.path.exists(run.attempt(1).pid))
    watch(yard, run, python)
    return run.attempt(1)


def watch(yard: Yard, run: RunFolder, python: str = PYTHON) -> int:
    return spawn.start(spawn.agent_command(python, kit_zip.installed(yard.home), run), run)


def script(text: str) -> list[str]:
    return [PYTHON, "-I", "-S", "-u", "-c", text]


def closed(attempt: AttemptFolder) -> dict[str, Any]:
    """The closing record, once it is there."""

    def look() -> dict[str, Any] | None:
        records = events.read(attempt.events).records
        return next((one for one in records if one["event"] == "closed"), None)

    found: dict[str, Any] = wait_for(look)
    return found


def said(attempt: AttemptFolder, text: str) -> None:
    """Wait until the trainer has said so."""

    def look() -> bool:
        try:
            with open(attempt.log, encoding="utf-8") as file:
                return text in file.read()
        except FileNotFoundError:
            return False

    wait_for(look)


def agent_pid(run: RunFolder) -> int:
    found: int = wait_for(lambda: locks.holder(run.agent_lock).get("pid"))
    return found


def trainer_pid(attempt: AttemptFolder) -> int:
    def look() -> int:
        noted = files.read_json(attempt.pid) or {}
        return int((noted.get("trainer") or {"pid": 0})["pid"])

    found: int = wait_for(look)
    return found
