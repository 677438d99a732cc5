"""Every byte of a zip against its checksums, two members at a time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.zip_members import check_header, read_member
from trainctl.checkpoints.reading.zips import DESCRIPTOR, Directory, Member, Span

_BLOCK = 1 << 20
_UNPACKED = 64 << 20
_THREADS = 2
_WIDE = 0xFFFFFFFF
_DESCRIPTOR_MARK = b"PK\7\x08"


def verify_members(
    span: Span, directory: Directory, owners: Mapping[int, str] | None = None
) -> list[str]:
    """Read all of them: whose header, data or checksum are not as the directory says.

    owners: whose data begin at a byte of the file, for the findings. A zip that was written
    without checksums, as torch can, is only held against its headers. Raises OSError.
    """
    from concurrent.futures import ThreadPoolExecutor

    members = sorted(directory.members.values(), key=lambda member: member.header)
    findings = Findings()
    with ThreadPoolExecutor(_THREADS) as pool:
        checks = [_Check(span, owners or {}) for _ in range(_THREADS)]
        for found in pool.map(_Check.members, checks, _shares(members)):
            for what in found:
                findings.append(what)
    return findings


def _shares(members: Sequence[Member]) -> Iterable[Sequence[Member]]:
    """Neighbours stay together, so that each thread reads on; each has about as many bytes."""
    total, done, at = sum(member.stored for member in members), 0, 0
    while at < len(members) and done < total // _THREADS:
        done += members[at].stored
        at += 1
    return members[:at], members[at:]


class _Check:
    """One thread's: reads ahead, so that small members cost no read each."""

    def __init__(self, span: Span, owners: Mapping[int, str]) -> None:
        self._span = span
        self._owners = owners
        self._start = 0
        self._ahead = b""

    def members(self, members: Sequence[Member]) -> list[str]:
        findings = Findings()
        for member in members:
            wrong = self._member(member)
            if wrong:
                findings.append(wrong)
        return findings

    def _member(self, member: Member) -> str:
        name_bytes = 4 * len(member.name)
        start, wrong = check_header(member, self._read(member.header, 30 + name_bytes, 1_024))
        if wrong:
            return wrong
        if member.method:
            return " ".join(read_member(self._span, member, _UNPACKED).findings)
        start += member.header
        found = self._checksum(start, member.stored)
        if found is None:
            return f"{self._named(member, start)} is cut off"
        if member.crc and found != member.crc:
            return f"{self._named(member, start)} does not match its checksum"
        return self._after(member, start + member.stored)

    def _checksum(self, start: int, length: int) -> int | None:
        """Its CRC-32; None where it is cut off."""
        found, end = 0, start + length
        while start < end:
            data = self._read(start, 1, min(_BLOCK, end - start))
            if not data:
                return None
            found = zlib.crc32(data, found)
            start += len(data)
        return found

    def _after(self, member: Member, end: int) -> str:
        """The descriptor after the data says once more what the directory says."""
        if not member.flags & DESCRIPTOR:
            return ""
        code = "<4sIQQ" if member.stored >= _WIDE else "<4sIII"
        data = self._read(end, struct.calcsize(code))
        said = (_DESCRIPTOR_MARK, member.crc, member.stored, member.size)
        if data == struct.pack(code, *said) or data[:4] != _DESCRIPTOR_MARK:
            return ""
        return f"{member.name[:100]!r} has other sizes or checksum by what follows it"

    def _read(self, start: int, least: int, most: int = 0) -> bytes:
        """At least so many bytes, unless the file ends; more where they are here already."""
        at = start - self._start
        if at < 0 or at + least > len(self._ahead):
            self._start, at = start, 0
            self._ahead = self._span.read(start, max(least, _BLOCK))
        return self._ahead[at : at + max(least, most)]

    def _named(self, member: Member, start: int) -> str:
        first = self._span.start + start
        owner = self._owners.get(first)
        tensor = f"tensor {owner}, " if owner else ""
        return f"{member.name[:100]!r} ({tensor}bytes {first} to {first + member.stored})"
