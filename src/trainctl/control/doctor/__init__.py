"""What is wrong with this machine, its settings and its runs, and what to type about it."""

from __future__ import annotations

from trainctl.control.doctor import python, state, system
from trainctl.control.doctor.machine import Answer, Check, Finding, Machine, ask

CHECKS: tuple[Check, ...] = (
    state.settings,
    python.version,
    python.shim,
    python.start_up_files,
    system.git,
    system.uv,
    system.cards,
    state.folder,
    state.disks,
    state.index,
    state.logs,
    state.unreadable_runs,
    state.interrupted_runs,
    state.held_locks,
    system.watches,
    system.subreaper,
    system.open_files,
    system.logout,
)

__all__ = ["CHECKS", "Answer", "Check", "Finding", "Machine", "ask", "examine"]


def examine(machine: Machine) -> list[Finding]:
    """All findings, in the order of the table; a check that fails itself is a finding too."""
    return [finding for check in CHECKS for finding in _tried(check, machine)]


def _tried(check: Check, machine: Machine) -> list[Finding]:
    try:
        return check(machine)
    except OSError as error:
        return [
            Finding("warn", check.__name__.replace("_", " "), f"could not be checked: {error}")
        ]
