"""Children measured from outside: CPU by wait4, wall by the monotonic clock, memory from /proc."""

from __future__ import annotations

import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_PR_SET_CHILD_SUBREAPER = 36


def spawn(command: Sequence[str], env: Mapping[str, str], *, out: int | None = None) -> int:
    """Start a child that reads nothing, says nothing on stderr, and writes to `out` or nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, null if out is None else out, 1),
        (os.POSIX_SPAWN_DUP2, null, 2),
    ]
    try:
        return os.posix_spawn(command[0], list(command), dict(env), file_actions=actions)
    finally:
        os.close(null)


def cpu_of(command: Sequence[str], env: Mapping[str, str], *, out: int | None = None) -> float:
    """CPU milliseconds of a command and of those it waited for.

    Raises RuntimeError where it fails: that is no measurement.
    """
    pid = spawn(command, env, out=out)
    _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"exit status {status}: {' '.join(command)}")
    return (used.ru_utime + used.ru_stime) * 1000


def interleaved(
    tries: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: bool = True
) -> dict[str, float]:
    """The median of each, all tried in turn in every round; what warms up is not counted."""
    seen: dict[str, list[float]] = {name: [] for name in tries}
    for number in range(rounds + warm_up):
        for name, measure in tries.items():
            value = measure()
            if number >= warm_up:
                seen[name].append(value)
    return {name: statistics.median(values) for name, values in seen.items()}


def cpu(command: Sequence[str], env: Mapping[str, str]) -> Callable[[], float]:
    """A try for `interleaved`: the CPU milliseconds of a command."""
    return lambda: cpu_of(command, env)


def peak_memory_mb(pid: int) -> float:
    """The most that a living process has had resident, in MB of 1e6 bytes; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    except (OSError, KeyError):
        return 0.0


def adopt_orphans() -> bool:
    """From now on, processes whose parents end become our children; False where that cannot be."""
    if sys.platform != "linux":
        return False
    return ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def wait_until(true: Callable[[], bool], seconds: float = 600, pause: float = 0.02) -> None:
    """Raises TimeoutError."""
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            raise TimeoutError("what the benchmark waited for did not come")
        time.sleep(pause)
