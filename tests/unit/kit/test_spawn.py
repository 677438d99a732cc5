"""Starting supervisors from a program that lives on."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.torture.yard import wait_for
from trainctl.kit import process, spawn
from trainctl.kit.names import Home


def test_many_starts_from_many_threads_leave_no_zombies(tmp_path: Path) -> None:
    run = Home(str(tmp_path)).run("run-1")
    os.makedirs(run.path)

    def start(_: int) -> int:
        return spawn.start([sys.executable, "-I", "-S", "-c", ""], run)

    with ThreadPoolExecutor(8) as threads:
        pids = list(threads.map(start, range(40)))
    wait_for(lambda: all(process.identity(pid) is None for pid in pids))
    last = start(0)
    assert not {pid for pid, up in process.parents().items() if up == os.getpid()} & set(pids)
    os.waitpid(last, 0)
