"""Who is alive: a process is (boot, pid, start time), and a zombie is dead.

`kill(pid, 0)` alone lies twice: pids are used again, and in containers nobody reaps.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

RUN_MARK = "TRAINCTL_RUN_DIR"  # in the environment of every trainer
SUPERVISOR_MARK = "TRAINCTL_SUPERVISES"  # in the environment of waiter and agent


class Identity(NamedTuple):
    pid: int
    start: str
    boot: str

    def to_json(self) -> Dict[str, Any]:
        return {"pid": self.pid, "start": self.start, "boot": self.boot}


def identity_of(value: Optional[Mapping[str, Any]]) -> Optional[Identity]:
    """Read back what `to_json` wrote; None where there is nothing to read."""
    if not value:
        return None
    return Identity(int(value["pid"]), str(value["start"]), str(value["boot"]))


def boot_id() -> str:
    """What changes with every boot of this machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return _ask("sysctl", "-n", "kern.boottime")


def identity(pid: int) -> Optional[Identity]:
    """Who has this pid now; None when nobody living has."""
    seen = _state_and_start(pid)
    if seen is None or seen[0] in "ZX":
        return None
    return Identity(pid, seen[1], boot_id())


def is_alive(who: Optional[Identity]) -> bool:
    return who is not None and identity(who.pid) == who


def signal_if_alive(who: Optional[Identity], number: int) -> bool:
    """Signal this very process, not one that has its pid by now."""
    if who is None or not is_alive(who):
        return False
    return send(who.pid, number)


def send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _state_and_start(pid: int) -> Optional[Tuple[str, str]]:
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                text = file.read()
        except OSError:
            return None
        fields = text[text.rindex(b")") + 2 :].split()
        return fields[0].decode(), fields[19].decode()
    words = _ask("ps", "-o", "state=,lstart=", "-p", str(pid)).split(None, 1)
    return (words[0][0], words[1].strip()) if len(words) == 2 else None


def _ask(*command: str) -> str:
    import subprocess  # only without /proc: it would cost the waiter 2 MB

    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def environment(pid: int) -> Dict[str, str]:
    """The environment a process was started with; empty where we may not look."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return {}
    return dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)


def pids() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def marked(run: str) -> List[int]:
    """The living processes that carry this run's mark in their environment."""
    if sys.platform != "linux":
        return _marked_by_ps(run)
    needle = b"\0" + RUN_MARK.encode() + b"=" + os.fsencode(run) + b"\0"
    found: List[int] = []
    for pid in pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                text = file.read()
        except OSError:
            continue
        if needle in b"\0" + text and identity(pid) is not None:
            found.append(pid)
    return found


def _marked_by_ps(run: str) -> List[int]:
    needle = f"{RUN_MARK}={run}"
    lines = _ask("ps", "-axEww", "-o", "pid=,command=").splitlines()
    return [int(line.split()[0]) for line in lines if needle in line.split()]


def children(pid: int) -> List[int]:
    """The children of all threads of a process, as the kernel lists them."""
    found: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found.extend(int(child) for child in file.read().split())
    except OSError:
        pass
    return found


def end_marked(run: str, number: int = signal.SIGKILL) -> List[int]:
    """Signal all that carries the run's mark; returns whom."""
    return [pid for pid in marked(run) if send(pid, number)]
