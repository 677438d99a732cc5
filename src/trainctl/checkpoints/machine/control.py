"""What begins, ends and discards."""

from __future__ import annotations

from trainctl.checkpoints.machine.literals import LONG
from trainctl.checkpoints.machine.state import BreaksOffError, EndedError, Machine


def stop(_: Machine, at: int) -> int:
    raise EndedError(at)


def proto(machine: Machine, at: int) -> int:
    if machine.data[at] > 5:
        raise BreaksOffError(f"protocol {machine.data[at]} is not known")
    return at + 1


def frame(machine: Machine, at: int) -> int:
    """Frames only tell how far to read ahead; a cut one still shows what stood in it."""
    (length,) = LONG(machine.data, at)
    if length > len(machine.data) - at - 8:
        machine.findings.append(f"its pickle is cut off: a frame at byte {at} goes beyond its end")
    return at + 8


def mark(machine: Machine, at: int) -> int:
    machine.below.append(machine.stack)
    machine.stack = []
    return at


def pop(machine: Machine, at: int) -> int:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.take()
    return at


def pop_mark(machine: Machine, at: int) -> int:
    machine.take()
    return at


def dup(machine: Machine, at: int) -> int:
    machine.stack.append(machine.stack[-1])
    return at
