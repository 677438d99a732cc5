"""Zips that lie: readers that believe different parts of them see different checkpoints."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.hostile.case import DATA, MALFORMED, Case
from tests.hostile.pickling import run, state, tensor
from tests.hostile.zipping import Entry, make, torch_zip

GOOD = state(w=tensor())
EVIL = run("os", "system", "id")
PICKLE = "archive/data.pkl"


def cases() -> Iterator[Case]:
    yield Case("an honest one, for comparison", torch_zip(GOOD), DATA)
    for title, data, says in (*_members(), *_spelled(), *_ends(), *_cut()):
        yield Case(title, data, MALFORMED, says)


def _members() -> Iterator[tuple[str, bytes, str]]:
    extra = Entry("archive/data/1", b"x" * 64)
    yield "a wrong checksum", torch_zip(GOOD, crc=1), "does not match its checksum"
    yield "a wrong checksum of a payload", torch_zip(EVIL, crc=1), "does not match its checksum"
    yield (
        "another name in its header",
        torch_zip(GOOD, local_name="archive/data.pk2"),
        "by its own",
    )
    yield "other flags in its header", torch_zip(GOOD, local_flags=1), "by its own"
    yield "other sizes in its header", torch_zip(GOOD, local_size=5), "by its own"
    yield "encrypted", torch_zip(GOOD, flags=1), "encrypted"
    yield "odd flags", torch_zip(GOOD, flags=0x2000), "has flags"
    yield "an unknown method", torch_zip(GOOD, extra._replace(method=12)), "method 12"
    yield "a pickle that is compressed", torch_zip(EVIL, method=8), "compressed"
    yield "a pickle that is a bomb", torch_zip(b"\0" * 30_000_000, method=8), "compressed"
    yield (
        "a bomb that tells another size",
        torch_zip(b"\0" * 30_000_000, method=8, size=9),
        "unpack",
    )
    yield "a pickle of 2^31 bytes", torch_zip(GOOD, size=1 << 31, stored=1 << 31), "overlap"
    yield "one name twice", torch_zip(GOOD, Entry(PICKLE, EVIL)), "twice"
    yield "a second folder at its top", torch_zip(GOOD, Entry("evil/data.pkl", EVIL)), "several"
    yield "members that overlap", torch_zip(GOOD, extra._replace(header=90)), "overlap"
    yield "a member beyond the file", torch_zip(GOOD, extra._replace(header=1 << 30)), "beyond"
    yield (
        "a member that leaves the folder",
        torch_zip(GOOD, Entry("archive/../../x", b"")),
        "plain",
    )
    yield "an absolute name", torch_zip(GOOD, Entry("/etc/passwd", b"")), "plain name"
    yield "a name with a drive", torch_zip(GOOD, Entry("C:/x", b"")), "plain name"
    yield "a name with a backslash", torch_zip(GOOD, Entry("archive\\x", b"")), "plain name"
    yield "a name with an end in it", torch_zip(GOOD, Entry("archive/a\0.pkl", b"")), "plain name"
    yield "a header that is none", torch_zip(GOOD, header=7), "not where"
    yield "a pickle whose length is unknown", torch_zip(GOOD, size=0xFFFFFFFF), "how large"


def _spelled() -> Iterator[tuple[str, bytes, str]]:
    """torch's own reader finds members whatever the case of their names."""
    loud = "archive/DATA.PKL"
    good, evil = Entry(PICKLE, GOOD), Entry(loud, EVIL)
    numbers = Entry("archive/data/0", bytes(64))
    yield "a payload in capitals before its pickle", make([evil, good, numbers]), "one name"
    yield "a payload in capitals behind its pickle", make([good, evil, numbers]), "one name"
    yield "a pickle in capitals alone", make([Entry(loud, EVIL), numbers]), "for its pickle"
    yield (
        "a pickle in capitals in another folder",
        torch_zip(GOOD, Entry("archive/x/Data.Pkl", EVIL)),
        "for its pickle",
    )
    yield (
        "constants in capitals",
        torch_zip(GOOD, Entry("archive/CONSTANTS.pkl", EVIL)),
        "for its pickle",
    )
    yield "numbers in capitals", torch_zip(GOOD, numbers._replace(name="archive/DATA/0")), "one"


def _ends() -> Iterator[tuple[str, bytes, str]]:
    entries = [Entry(PICKLE, GOOD), Entry("archive/data/0", bytes(64))]
    other = make([Entry(PICKLE, EVIL), Entry("archive/data/0", bytes(64))])
    good = make(entries)
    yield "bytes before it", b"#!/bin/sh\n" + good, "should begin"
    yield "bytes after it", good + b"junk", "after its end"
    yield "another zip before it", other + good, "should begin"
    yield "an end within the comment", make(entries, comment=other[-22:]), "several ends"
    yield "a zip as the comment", make(entries, comment=other), "several ends"
    yield "a cut end as the comment", make(entries, comment=b"PK\5\6junk"), "several ends"
    yield "more entries than there are", make(entries, count=9), "not 9"
    yield "fewer entries than there are", make(entries, count=1), "not 1"
    yield "no entries", make(entries, count=0), "not 0"
    yield "a directory of 4 GB", make(entries, size=0xFFFFFFF0), "cannot have"
    yield "a directory elsewhere", make(entries, offset=3), "should begin at byte 3"
    yield "several volumes", make(entries, disk=3), "volumes"
    yield "a locator that points nowhere", _widened(good, place=5), "64-bit"
    yield "two ends that differ", _widened(good, count=7), "different things"
    yield "an empty zip", make([]), "data.pkl"
    yield "a zip without a pickle", make([Entry("a/b", b"c")]), "data.pkl"
    yield "a million empty ends", b"PK\3\4" + b"PK\5\6" * 20_000, "no zip ends"


def _cut() -> Iterator[tuple[str, bytes, str]]:
    whole = torch_zip(GOOD)
    for part in (0.5, 0.9, 0.99):
        yield f"cut at {part:.0%}", whole[: int(len(whole) * part)], "cut off"
    yield "cut by a byte", whole[:-1], "cut off"
    yield "zeros instead of its end", whole[:-300] + bytes(300), "cut off"
    yield "zeros instead of its start", bytes(200) + whole[200:], "not where"
    yield "only its first bytes", b"PK\3\4", "cut off"


def _widened(whole: bytes, place: int | None = None, count: int = 2) -> bytes:
    """The same zip with a 64-bit end before its end."""
    body, end = whole[:-22], whole[-22:]
    size, offset = struct.unpack_from("<II", end, 12)
    numbers = (44, 45, 45, 0, 0, count, count, size, offset)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", *numbers)
    at = len(body) if place is None else place
    return body + wide + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + end
