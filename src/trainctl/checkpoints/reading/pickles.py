"""Read pickles without unpickling: a symbolic reader that imports nothing and calls nothing.

Its safety rests on that alone, not on any verdict about what it saw. Its memo is a dict, nothing
is ever copied or walked, and every loop is bounded, so that time and memory stay in proportion to
the stream's own length, which its caller bounds.
Source: CPython's Lib/pickle.py and Lib/pickletools.py, protocols 0 to 5.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from trainctl.checkpoints.reading.opcodes.literals import INDEX
from trainctl.checkpoints.reading.opcodes.reader import BreaksOffError, EndedError, Reader
from trainctl.checkpoints.reading.opcodes.table import TABLE
from trainctl.checkpoints.reading.pickled import Call, Global, Value

STREAM_BYTES = 64 << 20  # callers read no longer ones
OPERATIONS = 5_000_000  # about 160,000 tensors, and a second
MEMO = 2_000_000
NESTING = 5_000  # of open marks; honest picklers stop at a thousand
_ROUND = 50_000  # operations between two looks at how much has been gathered

_BINGET, _BININT1, _LONG_BINPUT, _MARK = b"hKr("
_WHY = {
    IndexError: "it takes what is not there",
    KeyError: "it refers to what was never stored",
    struct.error: "it is cut off",
}


class Pickle(NamedTuple):
    """What one stream says.

    value: None where it breaks off. end: the byte after its last one. globals: every name that it
    would import up to there, in order, whether kept, dropped or never used; calls: likewise.
    strange: what no pickler writes and loading does all the same. findings: why loading fails.
    """

    value: Value
    end: int
    globals: tuple[Global, ...]
    calls: list[Call]
    strange: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def read(data: bytes, start: int = 0) -> Pickle:
    """What the stream that begins there describes. Returns, whatever the bytes are."""
    reader = Reader(data)
    at, broken = _run(reader, start)
    if broken:
        reader.findings.append(f"its pickle breaks off at byte {at}: {broken}")
    value = reader.stack[-1] if reader.stack and not broken else None
    names, calls = tuple(reader.globals.values()), reader.calls
    return Pickle(value, at, names, calls, tuple(reader.strange), tuple(reader.findings))


def _run(reader: Reader, start: int) -> tuple[int, str]:
    """Operate to the end: the byte after, and why it breaks off there, or ""."""
    try:
        for _ in range(OPERATIONS // _ROUND):
            start = _operate(reader, start)
            if len(reader.memo) > MEMO or len(reader.below) > NESTING:
                return start, "it stores or nests more than any checkpoint"
    except EndedError as ended:
        return ended.at, "" if reader.stack else _WHY[IndexError]
    except BreaksOffError as error:
        return error.at, error.why
    return start, f"it has more than {OPERATIONS} operations"


def _operate(reader: Reader, at: int) -> int:
    """One round; the byte after. The most frequent operations stand here, for speed."""
    data, memo = reader.data, reader.memo
    try:
        for _ in range(_ROUND):
            code = data[at]
            if code == _LONG_BINPUT:
                memo[INDEX(data, at + 1)[0]] = reader.stack[-1]
                at += 5
            elif code == _BINGET:
                reader.stack.append(memo[data[at + 1]])
                at += 2
            elif code == _BININT1:
                reader.stack.append(data[at + 1])
                at += 2
            elif code == _MARK:
                reader.below.append(reader.stack)
                reader.stack = []
                at += 1
            else:
                at = TABLE[code](reader, at + 1)
    except BreaksOffError as error:
        error.at = at
        raise
    except (IndexError, KeyError, struct.error) as error:
        cut = struct.error if at >= len(data) else type(error)
        raise BreaksOffError(_WHY[cut], at) from error
    return at
