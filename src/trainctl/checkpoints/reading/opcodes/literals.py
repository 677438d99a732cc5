"""What puts a number, a text or bytes onto the stack, in every way since protocol 0."""

from __future__ import annotations

import codecs
import re
import struct

from trainctl.checkpoints.reading.opcodes.reader import (
    LONG_BYTES,
    BreaksOffError,
    Reader,
    text,
)
from trainctl.checkpoints.reading.pickled import Long, Value

INDEX = struct.Struct("<I").unpack_from
LONG = struct.Struct("<Q").unpack_from
_SHORT = struct.Struct("<H").unpack_from
_SIGNED = struct.Struct("<i").unpack_from
_DOUBLE = struct.Struct(">d").unpack_from
DIGITS = 4_000  # of a number written as text; reading more takes time in their square
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\", b"'": b"'", b'"': b'"'}
NUMBER_BYTES = 1_024  # of an integer: Python refuses to show much longer ones


def integer(line: bytes) -> int:
    if len(line) > DIGITS:
        raise BreaksOffError(f"a number has {len(line)} digits")
    try:
        return int(line)
    except ValueError:
        return _prefixed(line)


def _prefixed(line: bytes) -> int:
    """Python takes 0x10, too."""
    try:
        return int(line, 0)
    except ValueError:
        raise BreaksOffError("a number is none") from None


def none(reader: Reader, at: int) -> int:
    reader.stack.append(None)
    return at


def newtrue(reader: Reader, at: int) -> int:
    reader.stack.append(True)
    return at


def newfalse(reader: Reader, at: int) -> int:
    reader.stack.append(False)
    return at


def int_(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    truths = {b"00": False, b"01": True}
    reader.stack.append(truths[line] if line in truths else integer(line))
    return after


def long(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    reader.stack.append(integer(line.removesuffix(b"L")))
    return after


def float_(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    try:
        reader.stack.append(float(line[:DIGITS]))
    except ValueError:
        raise BreaksOffError("a number is none") from None
    return after


def binint(reader: Reader, at: int) -> int:
    reader.stack.append(_SIGNED(reader.data, at)[0])
    return at + 4


def binint1(reader: Reader, at: int) -> int:
    reader.stack.append(reader.data[at])
    return at + 1


def binint2(reader: Reader, at: int) -> int:
    reader.stack.append(_SHORT(reader.data, at)[0])
    return at + 2


def binfloat(reader: Reader, at: int) -> int:
    reader.stack.append(_DOUBLE(reader.data, at)[0])
    return at + 8


def long1(reader: Reader, at: int) -> int:
    return _number(reader, at + 1, reader.data[at])


def long4(reader: Reader, at: int) -> int:
    return _number(reader, at + 4, _SIGNED(reader.data, at)[0])


def _number(reader: Reader, at: int, length: int) -> int:
    end = reader.end_of(at, length)
    if length > NUMBER_BYTES:
        reader.refuse(f"has a number of {length} bytes")
        at = end
    reader.stack.append(int.from_bytes(reader.data[at:end], "little", signed=True))
    return end


def string(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in {b"'", b'"'}:
        raise BreaksOffError("a text is not in quotes")
    reader.stack.append(text(_ESCAPE.sub(_unescape, line[1:-1])))
    return after


def _unescape(found: re.Match[bytes]) -> bytes:
    """As `codecs.escape_decode` does, which warns of what it does not know."""
    octal, hexadecimal, letter = found.groups()
    if letter is not None:
        return _ESCAPED.get(letter, found.group())
    return bytes(((int(octal, 8) if octal else int(hexadecimal, 16)) & 0xFF,))


def unicode(reader: Reader, at: int) -> int:
    line, after = reader.line(at)
    try:
        decoded, _ = codecs.raw_unicode_escape_decode(line)
    except ValueError:
        raise BreaksOffError("a text has a bad escape") from None
    reader.stack.append(decoded.encode("utf-8", "backslashreplace").decode())
    return after


def binunicode(reader: Reader, at: int) -> int:
    data = reader.data
    start = at + 4
    end = start + INDEX(data, at)[0]
    if end > len(data) or end - start > LONG_BYTES:
        return _keep_text(reader, start, end - start)
    try:
        reader.stack.append(data[start:end].decode())
    except UnicodeDecodeError:
        return _keep_text(reader, start, end - start)
    return end


def short_binunicode(reader: Reader, at: int) -> int:
    return _keep_text(reader, at + 1, reader.data[at])


def binunicode8(reader: Reader, at: int) -> int:
    return _keep_text(reader, at + 8, LONG(reader.data, at)[0])


def binstring(reader: Reader, at: int) -> int:
    return _keep_text(reader, at + 4, _SIGNED(reader.data, at)[0])


def _keep_text(reader: Reader, at: int, length: int) -> int:
    end = reader.end_of(at, length)
    short = length <= LONG_BYTES
    reader.stack.append(text(reader.data[at:end]) if short else Long(at, end))
    return end


def short_binbytes(reader: Reader, at: int) -> int:
    return _keep_bytes(reader, at + 1, reader.data[at])


def binbytes(reader: Reader, at: int) -> int:
    return _keep_bytes(reader, at + 4, INDEX(reader.data, at)[0])


def binbytes8(reader: Reader, at: int) -> int:
    return _keep_bytes(reader, at + 8, LONG(reader.data, at)[0])


def _keep_bytes(reader: Reader, at: int, length: int) -> int:
    end = reader.end_of(at, length)
    value: Value = reader.data[at:end] if length <= LONG_BYTES else Long(at, end)
    reader.stack.append(value)
    return end
