"""Zips written by hand, so that each of their fields can lie."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
STORAGES = (("version", b"3\n"), ("byteorder", b"little"), ("data/0", bytes(64)))


class Entry(NamedTuple):
    """name and flags in the local header may be others than in the directory."""

    name: str
    data: bytes
    method: int = 0
    flags: int = 0
    local_name: str | None = None
    local_flags: int | None = None
    local_size: int | None = None
    crc: int | None = None
    size: int | None = None  # that it claims to unpack to
    stored: int | None = None  # that it claims to have in the zip
    header: int | None = None  # where the directory says it is


def torch_zip(pickle: bytes, *more: Entry, top: str = "archive", **first: object) -> bytes:
    """A torch checkpoint of this pickle, with one storage of 64 bytes."""
    entry = Entry(f"{top}/data.pkl", pickle)._replace(**first)
    rest = [Entry(f"{top}/{name}", data) for name, data in STORAGES]
    return make([entry, *rest, *more])


def make(entries: list[Entry], **end: int | bytes) -> bytes:
    """A zip; end: fields of its end record that lie (count, size, offset, comment, disk)."""
    body, central = b"", b""
    for entry in entries:
        packed = entry.data
        if entry.method == 8:
            compressor = zlib.compressobj(9, wbits=-15)
            packed = compressor.compress(entry.data) + compressor.flush()
        central += _central(entry, len(body), packed)
        body += _local(entry, packed) + packed
    return body + central + _end(len(body), len(central), len(entries), end)


def _numbers(entry: Entry, packed: bytes) -> tuple[int, int, int]:
    crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
    stored = len(packed) if entry.stored is None else entry.stored
    return crc, stored, len(entry.data) if entry.size is None else entry.size


def _local(entry: Entry, packed: bytes) -> bytes:
    name = (entry.local_name or entry.name).encode()
    flags = entry.flags if entry.local_flags is None else entry.local_flags
    crc, stored, size = _numbers(entry, packed)
    if entry.local_size is not None:
        stored = size = entry.local_size
    numbers = (20, flags, entry.method, 0, 0, crc, stored, size, len(name), 0)
    return LOCAL.pack(b"PK\3\4", *numbers) + name


def _central(entry: Entry, at: int, packed: bytes) -> bytes:
    name = entry.name.encode()
    at = at if entry.header is None else entry.header
    sizes = _numbers(entry, packed)
    numbers = (20, 20, entry.flags, entry.method, 0, 0, *sizes, len(name), 0, 0, 0, 0, 0, at)
    return CENTRAL.pack(b"PK\1\2", *numbers) + name


def _end(start: int, size: int, count: int, lies: dict[str, int | bytes]) -> bytes:
    comment = lies.get("comment", b"")
    assert isinstance(comment, bytes)
    said = {"disk": 0, "count": count, "size": size, "offset": start} | lies
    disk, entries = said["disk"], said["count"]
    numbers = (disk, disk, entries, entries, said["size"], said["offset"], len(comment))
    return END.pack(b"PK\5\6", *numbers) + comment
