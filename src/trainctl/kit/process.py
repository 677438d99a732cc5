"""Who is alive: a process is (boot, pid, start time), and a zombie is dead.

`kill(pid, 0)` alone lies twice: pids are used again, and in containers nobody reaps.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

RUN_MARK = "TRAINCTL_RUN_DIR"  # in the environment of every trainer
ATTEMPT_MARK = "TRAINCTL_ATTEMPT"
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


def identity(pid: int, *, reaped: bool = True) -> Optional[Identity]:
    """Who has this pid now; None when nobody living has.

    reaped: False takes an ended child too that its parent, the caller, has not waited for yet.
    """
    seen = _state_and_start(pid)
    if seen is None or (reaped and seen[0] in "ZX"):
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
        fields = _stat(pid)
        return (fields[0].decode(), fields[19].decode()) if fields else None
    words = _ask("ps", "-o", "state=,lstart=", "-p", str(pid)).split(None, 1)
    return (words[0][0], words[1].strip()) if len(words) == 2 else None


def _stat(pid: int) -> List[bytes]:
    """The fields of /proc/PID/stat from the third, the state, on; empty without a process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return []
    return text[text.rindex(b")") + 2 :].split()


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


def marked(run: str, attempt: Optional[int] = None) -> List[int]:
    """The living processes that carry this run's mark, or this attempt's, in their environment."""
    marks = [f"{RUN_MARK}={run}"]
    if attempt is not None:
        marks.append(f"{ATTEMPT_MARK}={attempt}")
    if sys.platform != "linux":
        return _marked_by_ps(marks)
    needles = [b"\0" + os.fsencode(mark) + b"\0" for mark in marks]
    found: List[int] = []
    for pid in pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                text = b"\0" + file.read()
        except OSError:
            continue
        if all(needle in text for needle in needles) and identity(pid) is not None:
            found.append(pid)
    return found


def _marked_by_ps(marks: List[str]) -> List[int]:
    lines = _ask("ps", "-axEww", "-o", "pid=,command=").splitlines()
    # A mark may hold spaces, so words are not compared, but what follows it must be none of it.
    return [
        int(line.split(None, 1)[0])
        for line in lines
        if all(f" {mark} " in line + " " for mark in marks)
    ]


def children(pid: int) -> List[int]:
    """The children of all threads of a process."""
    found: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found.extend(int(child) for child in file.read().split())
    except FileNotFoundError:  # a kernel without these lists, or a process that is no more
        return [child for child, parent in parents().items() if parent == pid]
    except OSError:
        pass
    return found


def parents() -> Dict[int, int]:
    """The parent of every process."""
    if sys.platform != "linux":
        lines = [line.split() for line in _ask("ps", "-axo", "pid=,ppid=").splitlines()]
        return {int(words[0]): int(words[1]) for words in lines if len(words) == 2}
    found: Dict[int, int] = {}
    for pid in pids():
        fields = _stat(pid)
        if fields:
            found[pid] = int(fields[1])
    return found


def end_marked(run: str, attempt: int, number: int = signal.SIGKILL) -> List[int]:
    """Signal all that carries the attempt's mark; returns whom."""
    return [pid for pid in marked(run, attempt) if send(pid, number)]
