"""What stores a value to be used again, and takes it: an index into a dict, never an array."""

from __future__ import annotations

from trainctl.checkpoints.reading.opcodes.literals import INDEX, integer
from trainctl.checkpoints.reading.opcodes.reader import Reader

_INDICES = 1 << 32


def get(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    reader.stack.append(reader.memo[integer(line)])
    return after


def binget(reader: Reader, at: int) -> int:
    reader.stack.append(reader.memo[reader.data[at]])
    return at + 1


def long_binget(reader: Reader, at: int) -> int:
    reader.stack.append(reader.memo[INDEX(reader.data, at)[0]])
    return at + 4


def put(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    index = integer(line)
    if 0 <= index < _INDICES:
        reader.memo[index] = reader.stack[-1]
    else:
        reader.refuse("stores at an impossible place")
    return after


def binput(reader: Reader, at: int) -> int:
    reader.memo[reader.data[at]] = reader.stack[-1]
    return at + 1


def long_binput(reader: Reader, at: int) -> int:
    reader.memo[INDEX(reader.data, at)[0]] = reader.stack[-1]
    return at + 4


def memoize(reader: Reader, at: int) -> int:
    reader.memo[len(reader.memo)] = reader.stack[-1]
    return at
