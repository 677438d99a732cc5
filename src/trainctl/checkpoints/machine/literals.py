"""What puts a number, a text or bytes onto the stack, in every way since protocol 0."""

from __future__ import annotations

import codecs
import struct

from trainctl.checkpoints.machine.state import (
    LONG_BYTES,
    BreaksOffError,
    Machine,
    text,
)
from trainctl.checkpoints.pickled import Long, Value

INDEX = struct.Struct("<I").unpack_from
LONG = struct.Struct("<Q").unpack_from
_SHORT = struct.Struct("<H").unpack_from
_SIGNED = struct.Struct("<i").unpack_from
_DOUBLE = struct.Struct(">d").unpack_from
DIGITS = 4_000  # of a number written as text; reading more takes time in their square
NUMBER_BYTES = 1_024  # of an integer: Python refuses to show much longer ones


def integer(line: bytes) -> int:
    try:
        return int(line[:DIGITS])
    except ValueError:
        raise BreaksOffError("a number is none") from None


def none(machine: Machine, at: int) -> int:
    machine.stack.append(None)
    return at


def newtrue(machine: Machine, at: int) -> int:
    machine.stack.append(True)
    return at


def newfalse(machine: Machine, at: int) -> int:
    machine.stack.append(False)
    return at


def int_(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    truths = {b"00": False, b"01": True}
    machine.stack.append(truths[line] if line in truths else integer(line))
    return after


def long(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    machine.stack.append(integer(line.removesuffix(b"L")))
    return after


def float_(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    try:
        machine.stack.append(float(line[:DIGITS]))
    except ValueError:
        raise BreaksOffError("a number is none") from None
    return after


def binint(machine: Machine, at: int) -> int:
    machine.stack.append(_SIGNED(machine.data, at)[0])
    return at + 4


def binint1(machine: Machine, at: int) -> int:
    machine.stack.append(machine.data[at])
    return at + 1


def binint2(machine: Machine, at: int) -> int:
    machine.stack.append(_SHORT(machine.data, at)[0])
    return at + 2


def binfloat(machine: Machine, at: int) -> int:
    machine.stack.append(_DOUBLE(machine.data, at)[0])
    return at + 8


def long1(machine: Machine, at: int) -> int:
    return _number(machine, at + 1, machine.data[at])


def long4(machine: Machine, at: int) -> int:
    return _number(machine, at + 4, _SIGNED(machine.data, at)[0])


def _number(machine: Machine, at: int, length: int) -> int:
    end = machine.end_of(at, length)
    if length > NUMBER_BYTES:
        raise BreaksOffError(f"a number has {length} bytes")
    machine.stack.append(int.from_bytes(machine.data[at:end], "little", signed=True))
    return end


def string(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in {b"'", b'"'}:
        raise BreaksOffError("a text is not in quotes")
    try:
        machine.stack.append(text(codecs.escape_decode(line[1:-1])[0]))
    except ValueError:
        raise BreaksOffError("a text has a bad escape") from None
    return after


def unicode(machine: Machine, at: int) -> int:
    line, after = machine.line(at)
    try:
        machine.stack.append(text(line.decode("raw-unicode-escape").encode("utf-8", "replace")))
    except ValueError:
        raise BreaksOffError("a text has a bad escape") from None
    return after


def binunicode(machine: Machine, at: int) -> int:
    data = machine.data
    start = at + 4
    end = start + INDEX(data, at)[0]
    if end > len(data) or end - start > LONG_BYTES:
        return _keep_text(machine, start, end - start)
    machine.stack.append(data[start:end].decode("utf-8", "backslashreplace"))
    return end


def short_binunicode(machine: Machine, at: int) -> int:
    return _keep_text(machine, at + 1, machine.data[at])


def binunicode8(machine: Machine, at: int) -> int:
    return _keep_text(machine, at + 8, LONG(machine.data, at)[0])


def binstring(machine: Machine, at: int) -> int:
    return _keep_text(machine, at + 4, _SIGNED(machine.data, at)[0])


def _keep_text(machine: Machine, at: int, length: int) -> int:
    end = machine.end_of(at, length)
    short = length <= LONG_BYTES
    machine.stack.append(text(machine.data[at:end]) if short else Long(at, end))
    return end


def short_binbytes(machine: Machine, at: int) -> int:
    return _keep_bytes(machine, at + 1, machine.data[at])


def binbytes(machine: Machine, at: int) -> int:
    return _keep_bytes(machine, at + 4, INDEX(machine.data, at)[0])


def binbytes8(machine: Machine, at: int) -> int:
    return _keep_bytes(machine, at + 8, LONG(machine.data, at)[0])


def _keep_bytes(machine: Machine, at: int, length: int) -> int:
    end = machine.end_of(at, length)
    value: Value = machine.data[at:end] if length <= LONG_BYTES else Long(at, end)
    machine.stack.append(value)
    return end
