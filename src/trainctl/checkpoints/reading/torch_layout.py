"""Where the parts of torch's zips lie, as far as the zip's directory alone tells."""

from __future__ import annotations

from typing import NamedTuple

from trainctl.checkpoints.reading.zips import (
    DESCRIPTOR,
    UTF8,
    Directory,
    Member,
    Span,
    check_kinds,
)

_ALIGNED = 64  # bytes, or a multiple
_HEADER = 30
_USUAL = DESCRIPTOR | UTF8
_WIDE = 0xFFFFFFFF
_CODE = (".py", ".debug_pkl")  # of TorchScript, which is deflated


class Layout(NamedTuple):
    """pickle: the member that describes all; None: it is no such zip.

    places: where each storage's bytes begin in the file (-1: not told), and how many they are.
    script: whether it is TorchScript.
    """

    pickle: Member | None
    places: dict[str, tuple[int, int]]
    script: bool
    findings: list[str]


def lay_out(directory: Directory, span: Span) -> Layout:
    members = directory.members
    top = next(iter(members), "").partition("/")[0]
    found = members.get(f"{top}/data.pkl")
    findings = list(directory.findings)
    if found is None:
        if not findings:
            findings.append("there is no data.pkl in it")
        return Layout(None, {}, False, findings)
    if not all(name.startswith(top) for name in members):
        findings.append("the zip has several folders at its top; readers would not take the same")
    script = f"{top}/constants.pkl" in members
    findings += check_kinds(directory, deflated=_CODE if script else ())
    return Layout(found, _places(directory, f"{top}/data/", span.start), script, findings)


def _places(directory: Directory, prefix: str, base: int) -> dict[str, tuple[int, int]]:
    """Members follow each other without gaps, so that each ends where the next begins."""
    places: dict[str, tuple[int, int]] = {}
    following, skip = directory.start, len(prefix)
    for member in reversed(directory.members.values()):
        name, header, size, stored, _, flags, _ = member
        if name.startswith(prefix):
            start = following - stored - 16
            if flags != _USUAL or start % _ALIGNED or start < header + _HEADER + len(name):
                start = _start_of(member, following)
            places[name[skip:]] = (base + start if start >= 0 else -1, size)
        following = header
    return places


def _start_of(member: Member, following: int) -> int:
    """Where a member's data begin: before the next header, their own bytes, and a descriptor."""
    start = following - member.stored
    if member.flags & DESCRIPTOR:
        start -= 24 if member.stored >= _WIDE or (start - 16) % _ALIGNED else 16
        if start % _ALIGNED:
            return -1
    return start if start >= member.header + _HEADER + len(member.name) else -1
