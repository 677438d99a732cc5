"""Jobs and plans as control would write them, without a script to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from trainctl.kit import files, launch
from trainctl.kit.names import Home, RunFolder
from trainctl.platforms.protocol import Attempt
from trainctl.records.job import Job


def job_of(run: RunFolder, platform: str, command: Sequence[str], **changes: Any) -> Job:
    """A job that runs `command` in the run's own folder, with no card, no limit and no retry."""
    fields: dict[str, Any] = {
        "name": run.name,
        "created": 0.0,
        "typed": list(command),
        "command": list(command),
        "arguments_at": len(command),
        "script": None,
        "source": None,
        "kind": "program",
        "cwd": run.path,
        "project": run.path,
        "interpreter": None,
        "env": {},
        "env_names": [],
        "env_file": None,
        "gpus": {"count": 0, "ids": None, "candidates": []},
        "wait_seconds": 0.0,
        "after": None,
        "nproc": None,
        "max_seconds": None,
        "retries": 0,
        "grace_seconds": 30.0,
        "stall_seconds": 0.0,
        "disk_warn_bytes": 0.0,
        "tty": False,
        "tags": [],
        "resume": {"mode": "auto", "args": [], "why": "a test"},
        "checkpoint_dirs": [run.checkpoints],
        "asked": {},
        "platform": platform,
        "host": {"name": "a test"},
        "trainctl": "0",
    }
    return Job(**{**fields, **changes})


def new_run(home: Home, name: str, platform: str, command: Sequence[str], **changes: Any) -> Job:
    """The folder of a run that nobody has started yet."""
    run = home.run(name)
    os.makedirs(home.locks, exist_ok=True)
    os.makedirs(run.checkpoints)
    job = job_of(run, platform, command, **changes)
    launch.write_environment(run, {"PATH": os.defpath})
    files.write_json(run.job, job.to_json())
    return job


def attempt_of(home: Home, job: Job, number: int) -> Attempt:
    plan = launch.render(home.run(job.name), job.to_json(), number)
    return Attempt(job.name, number, plan)


def python(source: str) -> list[str]:
    """A trainer: this interpreter with a few lines of source."""
    return [sys.executable, "-c", source]
