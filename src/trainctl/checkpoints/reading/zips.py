"""The directory of a zip, read with suspicion, in one or two reads.

Other readers follow the first record that fits, or the last, or the local headers; what they would
read differently is a finding here. Nothing is raised for what is malformed.
Source: PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16, 4.4 and 4.5.3.
"""

from __future__ import annotations

import struct
from operator import attrgetter
from typing import NamedTuple, Self

from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.source import Source

TAIL = 128 << 10  # one read: the end records, and the directory of up to about 1,500 tensors
DIRECTORY_BYTES = 32 << 20
MEMBERS = 200_000
ENCRYPTED, DESCRIPTOR, UTF8 = 0x0001, 0x0008, 0x0800
_FLAGS = DESCRIPTOR | UTF8 | 0x0006  # the last: how hard it was deflated
_END, _END64, _LOCATOR, _ENTRY = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
_COMMENT = 0xFFFF
_IN_64 = 0xFFFFFFFF
_END_FIELDS = struct.Struct("<4sHHHHIIH")
_END64_FIELDS = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR_FIELDS = struct.Struct("<4sIQI")
_ENTRY_FIELDS = struct.Struct("<4s4xHH4xIIIHHH8xI")
_HEADER = attrgetter("header")
_ODD_NAMES = ("..", "\\", "\0", ":", "//", "\n/")
_PICKLES = ("/data.pkl", "/constants.pkl")


class Span(NamedTuple):
    """Some bytes of one file: a zip may lie within another file."""

    source: Source
    file: str
    start: int
    size: int

    @classmethod
    def whole(cls, source: Source, file: str = "") -> Self:
        """All of a file. Raises OSError where there is none."""
        size = source.files().get(file)
        if size is None:
            raise FileNotFoundError(2, "no such file", f"{source.where}/{file}")
        return cls(source, file, 0, size)

    def read(self, start: int, length: int) -> bytes:
        length = min(length, self.size - start)
        return self.source.read(self.file, self.start + start, length) if length > 0 else b""


class Member(NamedTuple):
    """header: where its local header begins, in the span. stored: its bytes as they lie there."""

    name: str
    header: int
    size: int
    stored: int
    crc: int
    flags: int
    method: int


class Directory(NamedTuple):
    """members: by name, in the directory's order. start: where the directory itself begins."""

    members: dict[str, Member]
    start: int
    findings: Findings


class _End(NamedTuple):
    """What the end record says. at: where it stands; shift: how much lies before the zip."""

    at: int
    entries: int
    size: int
    offset: int


def read_directory(span: Span) -> Directory:
    """What the zip says it holds, and what about that is wrong. Raises OSError only."""
    findings = Findings()
    base = max(0, span.size - TAIL)
    tail = span.read(base, TAIL)
    end = _find_end(tail, base, span, findings)
    if end is None:
        return Directory({}, span.size, findings)
    start = end.at - end.size
    if start != end.offset:
        findings.append(f"the zip's directory should begin at byte {end.offset}, not {start}")
    if start < 0 or end.size > DIRECTORY_BYTES:
        findings.append(f"the zip's directory cannot have {end.size} bytes")
        return Directory({}, span.size, findings)
    data = tail[start - base : end.at - base] if start >= base else span.read(start, end.size)
    members = _read_entries(data, end.entries, findings)
    _check_layout(members, start, findings)
    return Directory(members, start, findings)


def _find_end(tail: bytes, base: int, span: Span, findings: Findings) -> _End | None:
    if base + len(tail) != span.size:
        findings.append("the file changed while it was read")
        return None
    places = _places_of_end(tail)
    if not places:
        findings.append("it is cut off or has bytes after its end: no zip ends here")
        return None
    at = places[-1]
    if len(places) > 1 or tail.rfind(_END) != at:
        findings.append("the zip has several ends; readers would not agree on what it holds")
    _, disk, first_disk, here, count, size, offset, _ = _END_FIELDS.unpack_from(tail, at)
    if disk != first_disk or disk not in {0, 0xFFFF} or here != count:
        findings.append("the zip claims to be one of several volumes")
    end = _End(base + at, count, size, offset)
    return _widen(end, tail, base, findings) if tail[max(0, at - 20) :][:4] == _LOCATOR else end


def _places_of_end(tail: bytes) -> list[int]:
    """Where an end record stands whose comment ends with the file."""
    places: list[int] = []
    at = tail.find(_END, max(0, len(tail) - _COMMENT - _END_FIELDS.size))
    while 0 <= at <= len(tail) - _END_FIELDS.size:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + _END_FIELDS.size + comment == len(tail):
            places.append(at)
        at = tail.find(_END, at + 1)
    return places


def _widen(end: _End, tail: bytes, base: int, findings: Findings) -> _End:
    """What the 64-bit end record says, which must stand right before its locator."""
    locator = end.at - 20 - base
    at = locator - _END64_FIELDS.size
    _, _, place, _ = _LOCATOR_FIELDS.unpack_from(tail, locator)
    if at < 0 or tail[at : at + 4] != _END64 or place != base + at:
        findings.append("the zip's 64-bit end record is not where it should be")
        return end
    fields = _END64_FIELDS.unpack_from(tail, at)
    wide = _End(base + at, *fields[7:])
    pairs = zip(end[1:], wide[1:], (0xFFFF, _IN_64, _IN_64), strict=True)
    if any(narrow not in {full, many} for narrow, full, many in pairs):
        findings.append("the zip's two end records say different things")
    return wide


def _read_entries(data: bytes, count: int, findings: Findings) -> dict[str, Member]:
    members: dict[str, Member] = {}
    at, seen, size = 0, 0, len(data)
    unpack = _ENTRY_FIELDS.unpack_from
    while at + 46 <= size and seen < MEMBERS:
        mark, flags, method, crc, stored, full, name_size, extra, comment, header = unpack(
            data, at
        )
        if mark != _ENTRY:
            break
        after = at + 46 + name_size
        name = data[at + 46 : after].decode("utf-8", "backslashreplace")
        member = Member(name, header, full, stored, crc, flags, method)
        if _IN_64 in (stored, full, header):
            member = _widen_entry(member, data[after : after + extra], findings)
        if name in members:
            findings.append(f"the zip holds {name[:100]!r} twice")
        members[name] = member
        at, seen = after + extra + comment, seen + 1
    if at != size or seen != count:
        findings.append(f"the zip's directory has {seen} entries that can be read, not {count}")
    return members


def _widen_entry(member: Member, extra: bytes, findings: Findings) -> Member:
    """Sizes and offset from the 64-bit extra field, which holds only those that do not fit."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [
                value for (value,) in struct.iter_unpack("<Q", extra[at + 4 :][: length & ~7])
            ]
            wanted = [name for name in ("size", "stored", "header") if _is_wide(member, name)]
            if len(values) >= len(wanted):
                return member._replace(**dict(zip(wanted, values, strict=False)))
        at += 4 + length
    findings.append(f"the zip does not say how large {member.name[:100]!r} is")
    return member


def _is_wide(member: Member, name: str) -> bool:
    return bool(getattr(member, name) == _IN_64)


def _check_layout(members: dict[str, Member], start: int, findings: Findings) -> None:
    """Members lie one after the other, from the first byte on to the directory."""
    previous, free = "", 0
    for name, header, _, stored, *_ in sorted(members.values(), key=_HEADER):
        if header < free:
            findings.append(f"{name[:100]!r} and {previous[:100]!r} overlap in the zip")
        elif not free and header:
            findings.append(f"{header} bytes stand before the zip")
        previous, free = name, header + 30 + len(name) + stored
    if free > start:
        findings.append(f"{previous[:100]!r} goes beyond the zip's data")
    _check_names(members, findings)


def _check_names(members: dict[str, Member], findings: Findings) -> None:
    together = "\n" + "\n".join(members)
    if any(odd in together for odd in _ODD_NAMES):
        odd = [name for name in members if any(bad in f"\n{name}" for bad in _ODD_NAMES)]
        for name in odd:
            findings.append(f"the zip holds {name[:100]!r}, which is no plain name")
    _check_case(members, findings)


def _check_case(members: dict[str, Member], findings: Findings) -> None:
    """A member is found in any case by torch, only as it is spelled by other readers.

    Source: caffe2/serialize/inline_container.cc, getRecordID, torch 2.13.
    """
    lowered: dict[str, str] = {}
    for name in members:
        lower = name.lower()
        other = lowered.setdefault(lower, name)
        if other is not name:
            findings.append(f"the zip holds {name[:100]!r} and {other[:100]!r}: one name to torch")
        if lower.endswith(_PICKLES) and not name.endswith(_PICKLES):
            findings.append(f"the zip holds {name[:100]!r}, which torch may take for its pickle")


def check_kinds(directory: Directory, *, deflated: tuple[str, ...] = ()) -> Findings:
    """What is encrypted, marked oddly, or compressed; names that end so may be deflated."""
    findings = Findings()
    for name, _, _, _, _, flags, method in directory.members.values():
        if not flags & ~_FLAGS and (not method or (method == 8 and name.endswith(deflated))):
            continue
        what = "is encrypted" if flags & ENCRYPTED else f"has flags {flags:#06x}"
        what = what if flags & ~_FLAGS else f"is compressed by method {method}"
        findings.append(f"{name[:100]!r} {what}, which no loader expects")
    return findings
