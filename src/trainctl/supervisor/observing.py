"""What the agent sees of a running attempt: samples, checkpoints, a stall, a disk that fills."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

from trainctl.kit import checkpoints, completeness, events, files, gpus, process
from trainctl.kit.checkpoints import Found
from trainctl.kit.names import AttemptFolder
from trainctl.supervisor import descendants, judging
from trainctl.supervisor.guarding import guarded
from trainctl.supervisor.keeping import Keeper

SAMPLE_SECONDS = 5.0
GPU_SECONDS = 1.0  # what takes the driver longer is told with the next sample
MTIME_SECONDS = 0.05  # the kernel stamps files by a coarser clock than ours
SOON_SECONDS = 1.0
SCAN_SHARE = 100  # a scan that takes a second is made every hundred seconds at most
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Observer:
    """Samples the machine and looks for checkpoints at its own pace, however often it is asked."""

    def __init__(self, job: Dict[str, Any], attempt: AttemptFolder, keeper: Keeper) -> None:
        self._job = job
        self._attempt = attempt
        self._keeper = keeper
        self._next_sample = time.monotonic() + 1
        self._next_scan = time.monotonic() + 1
        self._cpu = (time.monotonic(), 0.0)
        self._has_gpus = True
        self._judge = judging.Judge(job.get("stall_seconds"), job.get("disk_warn_bytes"))
        self.began = False

    def tick(self, trainer: process.Identity, waiter: Optional[process.Identity]) -> None:
        if not self.began:
            self.began = True
            if not events.read(self._attempt.events).records:
                fields = {"pid": trainer.pid, "oom_kills": out_of_memory_kills()}
                self._write("started", fields)
        now = time.monotonic()
        if now >= self._next_scan:
            soon = note_checkpoints(self._job, self._attempt, self._keeper, writers_alive=True)
            took = time.monotonic() - now
            pause = SOON_SECONDS if soon else SAMPLE_SECONDS
            self._next_scan = now + max(pause, took * SCAN_SHARE)
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_SECONDS
            self._sample(trainer, waiter)

    def _sample(self, trainer: process.Identity, waiter: Optional[process.Identity]) -> None:
        root = waiter if waiter is not None and process.is_alive(waiter) else trainer
        sample = {
            "log_bytes": _size(self._attempt.log),  # first, so that `logs --since` skips no line
            "at": round(time.time(), 3),
            **self._processes([trainer.pid, *descendants.tree(root.pid)]),
            **machine_memory(),
            **disk(str(self._job["cwd"]), self._attempt.path),
        }
        if self._has_gpus:
            seen = gpus.look(GPU_SECONDS)
            self._has_gpus = bool(seen.cards or seen.trouble)
            if self._has_gpus:
                sample["gpus"] = [card._asdict() for card in seen.cards]
                sample["gpu_trouble"] = seen.trouble
        append_line(self._attempt.system, sample)
        for event, fields in self._judge.look(sample, time.monotonic()):
            self._write(event, fields)

    def _processes(self, pids: List[int]) -> Dict[str, Any]:
        seconds, resident = 0.0, 0
        for pid in set(pids):
            used = _usage(pid)
            seconds, resident = seconds + used[0], resident + used[1]
        before, self._cpu = self._cpu, (time.monotonic(), seconds)
        passed = max(1e-3, self._cpu[0] - before[0])
        percent = max(0.0, 100 * (seconds - before[1]) / passed)
        return {
            "cpu_percent": round(percent, 1),
            "rss_bytes": resident,
            "processes": len(set(pids)),
        }

    def _write(self, event: str, fields: Dict[str, Any]) -> None:
        try:
            events.append(self._attempt.events, event, fields)
        except OSError:  # a full disk is told once there is room again; the trainer goes on
            pass


def note_checkpoints(
    job: Dict[str, Any], attempt: AttemptFolder, keeper: Keeper, *, writers_alive: bool
) -> bool:
    """Hand over each complete checkpoint of this attempt that was not noted yet.

    Whether others are being written now: they should be looked at again soon. Raises nothing:
    what cannot be judged is not noted.
    """
    return guarded(
        partial(_note, job, attempt, keeper, writers_alive=writers_alive), otherwise=False
    )


def _note(
    job: Dict[str, Any], attempt: AttemptFolder, keeper: Keeper, *, writers_alive: bool
) -> bool:
    def is_whole(one: Found) -> bool:
        return completeness.is_complete(one, writers_alive=writers_alive)

    started = float((files.read_json(attempt.pid) or {}).get("started", 0))
    found = checkpoints.scan(job["checkpoint_dirs"], since=started - MTIME_SECONDS)
    new = [one for one in found if not guarded(partial(keeper.knows, one), otherwise=True)]
    whole = [one for one in new if guarded(partial(is_whole, one), otherwise=False)]
    keeper.look(whole)
    return any(time.time() - one.mtime < SAMPLE_SECONDS for one in new if one not in whole)


def append_line(path: str, sample: Dict[str, Any]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, json.dumps(sample, separators=(",", ":")).encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError:
        pass


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _usage(pid: int) -> Tuple[float, int]:
    """CPU seconds, its ended children's too, and resident bytes of one process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return 0.0, 0
    fields = text[text.rindex(b")") + 2 :].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS, int(fields[21]) * _PAGE


def machine_memory() -> Dict[str, Any]:
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":", 1) for line in file)
        total, free = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return {}
    return {"memory_percent": round(100 * (total - free) / total, 1)}


def disk(*paths: str) -> Dict[str, Any]:
    """The free bytes where least is free."""
    free: List[int] = []
    for path in paths:
        try:
            stat = os.statvfs(path)
        except OSError:
            continue
        free.append(stat.f_bavail * stat.f_frsize)
    return {"disk_free_bytes": min(free)} if free else {}


def out_of_memory_kills() -> int:
    """How often the kernel has killed at this process's memory limit (cgroup v2, then v1)."""
    try:
        with open("/proc/self/cgroup") as file:
            groups = dict(line.strip().split(":", 2)[1:] for line in file)
    except (OSError, ValueError):
        return 0
    places = (
        f"/sys/fs/cgroup{groups.get('', '')}/memory.events",
        f"/sys/fs/cgroup/memory{groups.get('memory', '')}/memory.oom_control",
    )
    for place in places:
        try:
            with open(place) as file:
                words = [line.split() for line in file]
        except OSError:
            continue
        return sum(int(word[1]) for word in words if word[:1] == ["oom_kill"])
    return 0
