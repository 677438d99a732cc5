"""The datasets of an HDF5 file: names, shapes, types, places. No data is read, no filter run.

Groups as h5py writes them by default are read, and those of few links in newer ones; a group
whose links lie in a heap is named in `unread`.
Source: HDF5 File Format Specification, version 3.0, sections II, III.A, III.B, III.D.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from trainctl.checkpoints.reading import hdf5_headers as headers
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.hdf5_headers import NOWHERE, Array, BrokenError, Message, Metered
from trainctl.checkpoints.reading.zips import Span

MAGIC = b"\x89HDF\r\n\x1a\n"
OBJECTS = 100_000
DEPTH = 64
NODES = 100_000  # of the trees that hold a group's links
READ_BYTES = 256 << 20


class Contents(NamedTuple):
    """unread: groups whose links are kept in a way that is not read here."""

    arrays: dict[str, Array]
    unread: tuple[str, ...]
    findings: Findings


def read(span: Span) -> Contents:
    """What the file holds, and what is wrong with it. Raises OSError only."""
    walk = _Walk(span)
    try:
        walk.visit("", _root(walk.span), 0)
    except (struct.error, IndexError):
        walk.findings.append("its HDF5 structure is cut off")
    except BrokenError as error:
        walk.findings.append(f"its HDF5 structure breaks off: {error}")
    for name, array in walk.arrays.items():
        if array.start is not None and array.start + array.bytes > span.size:
            walk.findings.append(f"{name[:100]!r} goes beyond the file's {span.size} bytes")
    return Contents(walk.arrays, tuple(walk.unread), walk.findings)


def _root(span: Metered) -> int:
    head = span.read(0, 96)
    if head[:8] != MAGIC:
        raise BrokenError("it does not begin as HDF5 does")
    version = head[8]
    widths = head[13:15] if version < 2 else head[9:11]
    if version > 3 or widths != b"\x08\x08":
        raise BrokenError("its superblock is of an unknown kind")
    place, at = {0: (64, 40), 1: (68, 44)}.get(version, (36, 28))
    (end,) = struct.unpack_from("<Q", head, at)
    if end > span.size:
        raise BrokenError(f"it is cut off: {span.size} of {end} bytes are there")
    (root,) = struct.unpack_from("<Q", head, place)
    return int(root)


class _Walk:
    """Down from the root, each object once: links may form circles."""

    def __init__(self, span: Span) -> None:
        self.span = Metered(span, READ_BYTES)
        self.arrays: dict[str, Array] = {}
        self.unread: list[str] = []
        self.findings = Findings()
        self.seen: set[int] = set()
        self.nodes = 0

    def visit(self, name: str, address: int, depth: int) -> None:
        if address in self.seen:
            return
        self.seen.add(address)
        if len(self.seen) > OBJECTS or depth > DEPTH:
            raise BrokenError("it holds more objects, or deeper ones, than are looked at")
        found = headers.messages(self.span, address)
        array = headers.array(found)
        if array is not None:
            self.arrays[name] = array
            return
        for child, where in self._links(name, found):
            self.visit(f"{name}/{child}" if name else child, where, depth + 1)

    def _links(self, name: str, found: list[Message]) -> Iterator[tuple[str, int]]:
        for message in found:
            if message.kind == headers.SYMBOLS:
                tree, heap = struct.unpack_from("<QQ", message.data)
                yield from self._symbols(tree, self._heap(heap), 0)
            elif message.kind == headers.LINK:
                link = _link(message.data)
                if link is not None:
                    yield link
            elif message.kind == headers.LINK_INFO:
                at = 10 if message.data[1:2] and message.data[1] & 1 else 2
                if struct.unpack_from("<Q", message.data, at)[0] != NOWHERE:
                    self.unread.append(name or "/")

    def _heap(self, address: int) -> bytes:
        head = self.span.read(address, 32)
        if head[:4] != b"HEAP":
            raise BrokenError(f"no names stand at byte {address}")
        size, _, start = struct.unpack_from("<QQQ", head, 8)
        return self.span.read(start, size)

    def _symbols(self, address: int, names: bytes, depth: int) -> Iterator[tuple[str, int]]:
        """The links below a node of a group's tree."""
        self.nodes += 1
        if self.nodes > NODES or depth > DEPTH:
            raise BrokenError("a group has no end")
        head = self.span.read(address, 24)
        if head[:4] == b"SNOD":
            yield from self._leaf(address + 8, int.from_bytes(head[6:8], "little"), names)
        elif head[:4] == b"TREE":
            (count,) = struct.unpack_from("<H", head, 6)
            entries = self.span.read(address + 24, 16 * count + 8)
            for number in range(count):
                (child,) = struct.unpack_from("<Q", entries, 16 * number + 8)
                yield from self._symbols(child, names, depth + 1)
        else:
            raise BrokenError(f"no links stand at byte {address}")

    def _leaf(self, address: int, count: int, names: bytes) -> Iterator[tuple[str, int]]:
        data = self.span.read(address, 40 * count)
        for number in range(count):
            place, where = struct.unpack_from("<QQ", data, 40 * number)
            end = names.find(b"\0", place)
            if end < 0:
                raise BrokenError(f"a link at byte {address} has no name")
            yield names[place:end].decode("utf-8", "backslashreplace"), where


def _link(data: bytes) -> tuple[str, int] | None:
    """Name and place of a link to an object of this file; None for one that leads elsewhere."""
    flags = data[1]
    at = 2 + (1 if flags & 8 else 0)
    kind = data[2] if flags & 8 else 0
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(data[at : at + width], "little")
    at += width
    if kind or at + size + 8 > len(data):
        return None
    name = data[at : at + size].decode("utf-8", "backslashreplace")
    return name, struct.unpack_from("<Q", data, at + size)[0]
