"""What begins, ends and discards."""

from __future__ import annotations

from trainctl.checkpoints.reading.opcodes.literals import LONG
from trainctl.checkpoints.reading.opcodes.reader import BreaksOffError, EndedError, Reader


def stop(_: Reader, at: int) -> int:
    raise EndedError(at)


def proto(reader: Reader, at: int) -> int:
    if reader.data[at] > 5:
        raise BreaksOffError(f"protocol {reader.data[at]} is not known")
    return at + 1


def frame(reader: Reader, at: int) -> int:
    """Frames only tell how far to read ahead; a cut one still shows what stood in it."""
    (length,) = LONG(reader.data, at)
    if length > len(reader.data) - at - 8:
        reader.findings.append(f"its pickle is cut off: a frame at byte {at} goes beyond its end")
    return at + 8


def mark(reader: Reader, at: int) -> int:
    reader.below.append(reader.stack)
    reader.stack = []
    return at


def pop(reader: Reader, at: int) -> int:
    if reader.stack:
        reader.stack.pop()
    else:
        reader.take()
    return at


def pop_mark(reader: Reader, at: int) -> int:
    reader.take()
    return at


def dup(reader: Reader, at: int) -> int:
    reader.stack.append(reader.stack[-1])
    return at
