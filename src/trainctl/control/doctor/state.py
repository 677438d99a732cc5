"""Checks of what trainctl keeps: settings, the state folder, disks, runs and locks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from trainctl.config import unread_variables
from trainctl.control.doctor.machine import Finding, Machine
from trainctl.control.home import trouble_with
from trainctl.errors import TrainctlError
from trainctl.kit import events, files, locks, process
from trainctl.kit.names import AttemptFolder, RunFolder
from trainctl.records.index import row_of_folder

_GB = 10**9
_SHOWN = 5  # runs that a finding names; the rest is counted


def settings(machine: Machine) -> list[Finding]:
    wrong = [_told("fail", "settings", problem) for problem in machine.problems]
    odd = [_told("warn", "settings", it) for it in unread_variables(machine.environ)]
    return [*wrong, *odd] or [Finding("ok", "settings", "valid")]


def _told(level: str, what: str, error: TrainctlError) -> Finding:
    return Finding("fail" if level == "fail" else "warn", what, error.message, error.hint or "")


def folder(machine: Machine) -> list[Finding]:
    path = machine.home.path
    trouble = trouble_with(path, machine.user, os.path.join(machine.root, "proc/self/mountinfo"))
    if trouble:
        return [_told("fail", "state folder", trouble)]
    there = "private, on a local disk" if os.path.isdir(path) else "is made by the first run"
    return [Finding("ok", "state folder", f"{path}: {there}")]


def disks(machine: Machine) -> list[Finding]:
    found = {os.stat(place).st_dev: place for place in (_existing(machine.home.path), machine.cwd)}
    return [_disk(machine, place) for place in found.values()]


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _disk(machine: Machine, place: str) -> Finding:
    room = os.statvfs(place)
    free = room.f_bavail * room.f_frsize
    what = f"disk of {place}"
    remedy = f"see what is large: du -xh {shlex.quote(place)} | sort -h | tail"
    if room.f_files and not room.f_favail:
        return Finding("fail", what, "no file can be made any more: no inodes left", remedy)
    detail = f"{free / _GB:.1f} GB free"
    if free >= machine.settings.disk_warn_gb * _GB:
        return Finding("ok", what, detail)
    level = "fail" if free < _GB / 2 else "warn"
    return Finding(level, what, f"only {detail}, less than disk_warn_gb", remedy)


def index(machine: Machine) -> list[Finding]:
    trouble = machine.index_trouble()
    if trouble is None:
        return [Finding("ok", "index", "sound")]
    remedy = (
        f"rm {shlex.quote(machine.home.index)}*; nothing is lost, the next command makes it anew"
    )
    return [Finding("warn", "index", trouble, remedy)]


def logs(machine: Machine) -> list[Finding]:
    """Every record carries a checksum; one that fails was changed after it was written."""
    found = [
        Finding(
            "fail",
            "event log",
            f"{path}: {len(corrupt)} damaged, line {', '.join(map(str, corrupt[:_SHOWN]))}; "
            "the other records are still read",
            "look at the disk: dmesg, smartctl -a; and copy what you need elsewhere",
        )
        for run in _runs(machine)
        for path in _event_logs(run)
        if (corrupt := events.read(path).corrupt)
    ]
    return found or [Finding("ok", "event logs", "all checksums hold")]


def unreadable_runs(machine: Machine) -> list[Finding]:
    bad = [run.name for run in _runs(machine) if row_of_folder(run) is None]
    return _named("warn", "runs", bad, "without a readable record", "trainctl delete {}")


def interrupted_runs(machine: Machine) -> list[Finding]:
    """Runs that began, whose end nobody wrote down, and of which no process lives."""
    names = [run.name for run in _runs(machine) if _is_interrupted(run)]
    return _named("warn", "runs", names, "interrupted, and nobody watches", "trainctl resume {}")


def held_locks(machine: Machine) -> list[Finding]:
    """Cards that stay taken although their run has ended: something it left behind lives on."""
    names: list[str] = []
    for path in _files_in(machine.home.locks):
        run = RunFolder(str(locks.holder(path).get("path", "")))
        newest = _newest(run)
        if newest and os.path.exists(newest.exit) and locks.is_taken(path):
            names.append(run.name)
    return _named(
        "warn",
        "locks",
        sorted(set(names)),
        "ended, but a process they left still holds a GPU",
        "trainctl stop --now {}",
    )


def _named(level: str, what: str, names: list[str], state: str, remedy: str) -> list[Finding]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    detail = f"{state}: {', '.join(names[:_SHOWN])}{more}"
    return [Finding("fail" if level == "fail" else "warn", what, detail, remedy.format(names[0]))]


def _is_interrupted(run: RunFolder) -> bool:
    newest = _newest(run)
    if newest is None or os.path.exists(newest.exit):
        return False
    started = files.read_json(newest.pid)
    if started is None:
        return False
    living = (process.identity_of(started.get(who)) for who in ("waiter", "trainer"))
    return not any(process.is_alive(who) for who in living)


def _newest(run: RunFolder) -> AttemptFolder | None:
    numbers = run.attempts()
    return run.attempt(numbers[-1]) if numbers else None


def _event_logs(run: RunFolder) -> list[str]:
    return [run.events, *(run.attempt(number).events for number in run.attempts())]


def _runs(machine: Machine) -> Iterator[RunFolder]:
    for path in _files_in(machine.home.runs):
        if os.path.isdir(path) and not os.path.basename(path).startswith("."):
            yield RunFolder(path)


def _files_in(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except OSError:
        return []
