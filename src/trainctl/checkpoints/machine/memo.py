"""What stores a value to be used again, and takes it: an index into a dict, never an array."""

from __future__ import annotations

from trainctl.checkpoints.machine.literals import INDEX, integer
from trainctl.checkpoints.machine.state import BreaksOffError, Machine

_INDICES = 1 << 32


def get(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    machine.stack.append(machine.memo[integer(line)])
    return after


def binget(machine: Machine, at: int) -> int:
    machine.stack.append(machine.memo[machine.data[at]])
    return at + 1


def long_binget(machine: Machine, at: int) -> int:
    machine.stack.append(machine.memo[INDEX(machine.data, at)[0]])
    return at + 4


def put(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    index = integer(line)
    if not 0 <= index < _INDICES:
        raise BreaksOffError("it stores at an impossible place")
    machine.memo[index] = machine.stack[-1]
    return after


def binput(machine: Machine, at: int) -> int:
    machine.memo[machine.data[at]] = machine.stack[-1]
    return at + 1


def long_binput(machine: Machine, at: int) -> int:
    machine.memo[INDEX(machine.data, at)[0]] = machine.stack[-1]
    return at + 4


def memoize(machine: Machine, at: int) -> int:
    machine.memo[len(machine.memo)] = machine.stack[-1]
    return at
