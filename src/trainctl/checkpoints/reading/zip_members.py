"""What a zip's members hold: their local headers, their bytes, their checksums."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from trainctl.checkpoints.reading.zips import DESCRIPTOR, Member, Span

_LOCAL = struct.Struct("<4sHHH4xIIIHH")
_MARK = b"PK\3\4"
_AHEAD = 1_024  # of padding that is read along; torch aligns to 64
_IN_64 = 0xFFFFFFFF


class Content(NamedTuple):
    """data: empty where it cannot be read. start: where it lies in the span."""

    data: bytes
    start: int
    findings: list[str]


def read_member(span: Span, member: Member, limit: int) -> Content:
    """One member, whole, in one read; its header and checksum must fit. Raises OSError.

    limit: of its bytes, packed or not; a longer one is a finding.
    """
    name = member.name[:100]
    size = max(member.size, member.stored)
    if size > limit:
        return Content(b"", 0, [f"{name!r} has {size} bytes, more than is ever read"])
    head_size = _LOCAL.size + len(member.name.encode())
    data = span.read(member.header, head_size + _AHEAD + member.stored)
    start, wrong = check_header(member, data)
    if wrong:
        return Content(b"", 0, [wrong])
    packed = data[start : start + member.stored]
    if len(packed) < member.stored:
        packed = span.read(member.header + start, member.stored)
    if len(packed) != member.stored:
        return Content(b"", 0, [f"{name!r} is cut off"])
    content = _inflate(packed, member.size) if member.method == 8 else packed
    findings: list[str] = []
    if len(content) != member.size:
        findings.append(f"{name!r} does not unpack to {member.size} bytes")
    elif member.crc and zlib.crc32(content) != member.crc:
        findings.append(f"{name!r} does not match its checksum")
    return Content(content, member.header + start, findings)


def _inflate(packed: bytes, size: int) -> bytes:
    """What it unpacks to, and never more than one byte beyond the size it should have."""
    try:
        return zlib.decompressobj(-15).decompress(packed, size + 1)
    except zlib.error:
        return b""


def check_header(member: Member, data: bytes) -> tuple[int, str]:
    """Where the data begins after this local header, and what it contradicts, or ""."""
    name = member.name[:100]
    if len(data) < _LOCAL.size or data[:4] != _MARK:
        return 0, f"{name!r} is not where the zip's directory says"
    _, _, flags, method, crc, stored, size, name_size, extra = _LOCAL.unpack_from(data)
    start = _LOCAL.size + name_size + extra
    local = data[_LOCAL.size : _LOCAL.size + name_size].decode("utf-8", "backslashreplace")
    if (local, flags, method) != (member.name, member.flags, member.method):
        return start, f"{name!r} is {local[:100]!r} by its own header, or another kind of member"
    later = (0,) if flags & DESCRIPTOR else ()
    same = (
        crc in (member.crc, *later)
        and stored in (member.stored, _IN_64, *later)
        and size in (member.size, _IN_64, *later)
    )
    return start, "" if same else f"{name!r} has other sizes or checksum by its own header"
