"""An object's header in an HDF5 file: its messages, and what those of a dataset say.

Source: HDF5 File Format Specification, version 3.0, sections IV.A.1 and IV.A.2.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trainctl.checkpoints.reading.zips import Span

DATASPACE, LINK_INFO, DATATYPE, LINK, LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x08
ATTRIBUTE, CONTINUATION, SYMBOLS = 0x0C, 0x10, 0x11
NOWHERE = 0xFFFFFFFFFFFFFFFF
BLOCK_BYTES = 4 << 20  # of one header; an attribute of Keras' may hold a model's description
BLOCKS = 64  # that one header may go on in
_DTYPES = {
    (0, 1, True): "int8",
    (0, 2, True): "int16",
    (0, 4, True): "int32",
    (0, 8, True): "int64",
    (0, 1, False): "uint8",
    (0, 2, False): "uint16",
    (0, 4, False): "uint32",
    (0, 8, False): "uint64",
    (1, 2, False): "float16",
    (1, 4, False): "float32",
    (1, 8, False): "float64",
    (8, 1, False): "bool",  # h5py's: an enumeration of one byte
}


class BrokenError(ValueError):
    """The file does not say what it should there."""


class Metered:
    """A span that is read only so far: what points to itself would be read without end."""

    def __init__(self, span: Span, budget: int) -> None:
        self.size = span.size
        self._span = span
        self._left = budget

    def read(self, start: int, length: int) -> bytes:
        """Raises BrokenError, OSError."""
        self._left -= length
        if self._left < 0 or start > self.size:
            raise BrokenError(f"byte {start} cannot be what it is said to be")
        return self._span.read(start, length)


class Message(NamedTuple):
    kind: int
    flags: int
    data: bytes


class Array(NamedTuple):
    """A dataset. start: where its bytes lie in the file, where they lie in one piece."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    start: int | None


def messages(span: Metered, address: int) -> list[Message]:
    """Those of the object that is there. Raises BrokenError, OSError."""
    head = span.read(address, 32)
    try:
        if head[:4] == b"OHDR":
            flags = head[5]
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            size = int.from_bytes(head[at : at + width], "little")
            header = struct.Struct("<BHB2x" if flags & 4 else "<BHB")
            return _gather(span, address + at + width, size, header)
        if head[:1] == b"\1":
            (size,) = struct.unpack_from("<I", head, 8)
            return _gather(span, address + 16, size, struct.Struct("<HHB3x"))
    except struct.error as error:
        raise BrokenError(f"the header at byte {address} is cut off") from error
    raise BrokenError(f"no object stands at byte {address}")


def _gather(span: Metered, address: int, size: int, header: struct.Struct) -> list[Message]:
    """All messages, from block to block. Later blocks of version 2 have a mark and a checksum."""
    found: list[Message] = []
    blocks, mark = [(address, size)], 0 if header.format == "<HHB3x" else 4
    for number, (start, length) in enumerate(blocks):
        if number >= BLOCKS or length > BLOCK_BYTES:
            raise BrokenError(f"the header at byte {address} has no end")
        data = span.read(start, length)
        if len(data) != length:
            raise BrokenError(f"the header at byte {address} is cut off")
        for message in _split(data[mark:-mark] if mark and number else data, header):
            found.append(message)
            if message.kind == CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", message.data))
    return found


def _split(data: bytes, header: struct.Struct) -> Iterator[Message]:
    at = 0
    while at + header.size <= len(data):
        kind, size, flags = header.unpack_from(data, at)
        at += header.size
        yield Message(kind, flags, data[at : at + size])
        at += size


def array(found: Sequence[Message]) -> Array | None:
    """What the header of a dataset says; None for that of a group. Raises BrokenError."""
    by_kind = {message.kind: message for message in reversed(found)}
    if LAYOUT not in by_kind or DATASPACE not in by_kind or DATATYPE not in by_kind:
        return None
    try:
        shape = _shape(by_kind[DATASPACE].data)
        size, dtype = _dtype(by_kind[DATATYPE])
        start = _start(by_kind[LAYOUT].data)
    except (struct.error, IndexError) as error:
        raise BrokenError("a dataset's header is cut off") from error
    if size == 2 and not dtype and any(_says_dtype(message) for message in found):
        dtype = "bfloat16"  # Keras stores it as two opaque bytes, and says so beside them
    return Array(shape, dtype, math.prod(shape) * size, start)


def _says_dtype(message: Message) -> bool:
    return message.kind == ATTRIBUTE and b"dtype\0" in message.data[:32]


def _shape(data: bytes) -> tuple[int, ...]:
    version, rank = data[0], data[1]
    if version not in {1, 2} or rank > 32:
        raise BrokenError(f"a dataset has {rank} dimensions")
    shape = struct.unpack_from(f"<{rank}Q", data, 8 if version == 1 else 4)
    if math.prod(shape) >> 56:
        raise BrokenError("a dataset is larger than any disk")
    return shape


def _dtype(message: Message) -> tuple[int, str]:
    """Bytes of one element, and its type's name; "" for one that torch has no name for."""
    if message.flags & 2:  # it stands elsewhere, shared by many
        return 0, ""
    kind = message.data[0] & 15
    (size,) = struct.unpack_from("<I", message.data, 4)
    signed = kind == 0 and bool(message.data[1] & 8)
    return size, _DTYPES.get((kind, size, signed), "")


def _start(data: bytes) -> int | None:
    """Where a contiguous dataset lies; chunks are scattered, and small ones stand in headers."""
    if data[0] not in {3, 4} or data[1] != 1:
        return None
    (address,) = struct.unpack_from("<Q", data, 2)
    return None if address == NOWHERE else address
