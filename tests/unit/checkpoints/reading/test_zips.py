"""Directories of zips: what they say, and that any bytes at all are survived."""

from __future__ import annotations

import io
import random
import zipfile

import hypothesis.strategies as some
from hypothesis import given

from tests.hostile.archives import GOOD
from tests.hostile.memory import MemorySource
from tests.hostile.zipping import Entry, make, torch_zip
from trainctl.checkpoints.formats.torch_zip import TORCH
from trainctl.checkpoints.reading.zip_checks import verify_members
from trainctl.checkpoints.reading.zip_members import read_member
from trainctl.checkpoints.reading.zips import Span, check_kinds, read_directory

WHOLE = torch_zip(GOOD)


def span_of(data: bytes) -> Span:
    return Span.whole(MemorySource(data))


def by_python(compression: int, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_members_are_those_that_python_sees():
    data = by_python(zipfile.ZIP_DEFLATED, config=b"{}" * 100, weights=bytes(5_000), ünï=b"x")
    directory = read_directory(span_of(data))

    assert directory.findings == []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            member = directory.members[info.filename]
            assert (member.size, member.crc) == (info.file_size, info.CRC)
            content = read_member(span_of(data), member, 10_000)
            assert (content.data, content.findings) == (archive.read(info), [])
    assert verify_members(span_of(data), directory) == []


def test_compressed_members_are_told_unless_they_may_be():
    directory = read_directory(span_of(by_python(zipfile.ZIP_DEFLATED, a=b"x" * 99)))

    assert "compressed" in check_kinds(directory)[0]
    assert check_kinds(directory, deflated=("a",)) == []


def test_a_member_longer_than_is_ever_read_is_told_and_not_read():
    data = by_python(zipfile.ZIP_DEFLATED, a=bytes(1_000_000))
    source = MemorySource(data)
    member = read_directory(Span.whole(source)).members["a"]
    source.reads = 0

    content = read_member(Span.whole(source), member, 999_999)

    assert (content.data, source.reads) == (b"", 0)
    assert "more than is ever read" in content.findings[0]


def test_inflating_stops_at_the_size_that_was_promised():
    data = make([Entry("a", bytes(50_000_000), method=8, size=100)])
    directory = read_directory(span_of(data))

    content = read_member(span_of(data), directory.members["a"], 100_000)

    assert len(content.data) <= 101
    assert "unpack" in content.findings[0]


def test_many_members_are_read_in_few_reads():
    data = make([Entry(f"m{i}", bytes(100)) for i in range(5_000)])
    source = MemorySource(data)

    directory = read_directory(Span.whole(source))
    assert len(directory.members) == 5_000
    assert source.reads == 2
    assert verify_members(Span.whole(source), directory) == []
    assert source.reads < 12


def test_each_member_that_is_damaged_is_told():
    entries = [Entry(f"m{i}", bytes([i]) * 3_000_000) for i in range(4)]
    data = bytearray(make(entries))
    for place in (1_500_000, 10_000_000):
        data[place] ^= 1

    found = verify_members(span_of(bytes(data)), read_directory(span_of(bytes(data))))

    assert [finding.split()[0] for finding in found] == ["'m0'", "'m3'"]


def test_a_zip_of_64_bits_is_read():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(b"abc")
    data = buffer.getvalue()
    directory = read_directory(span_of(data))

    assert directory.findings == []
    assert read_member(span_of(data), directory.members["a"], 10).data == b"abc"
    assert verify_members(span_of(data), directory) == []


def test_more_than_65535_members_are_read():
    data = by_python(zipfile.ZIP_STORED, **{f"m{i}": b"" for i in range(66_000)})

    directory = read_directory(span_of(data))

    assert (len(directory.members), directory.findings) == (66_000, [])


@given(some.binary(max_size=500))
def test_any_bytes_are_read_without_an_error(data: bytes):
    for source in (MemorySource(data), MemorySource(b"PK\3\4" + data + WHOLE[-22:])):
        TORCH.recognise(source)
        TORCH.inspect(source)
        TORCH.verify(source)


@given(some.lists(some.tuples(some.integers(0, len(WHOLE) - 1), some.binary(max_size=8))))
def test_any_change_is_read_without_an_error(changes: list[tuple[int, bytes]]):
    data = bytearray(WHOLE)
    for at, new in changes:
        data[at : at + len(new)] = new
    source = MemorySource(bytes(data))

    TORCH.recognise(source)
    assert bool(TORCH.inspect(source).findings) <= bool(TORCH.verify(source))


def unread_fields() -> set[int]:
    """Versions, dates and attributes: no loader looks at them, only a manifest guards them."""
    unread: set[int] = set()
    for mark, places in ((b"PK\3\4", (4, 5, *range(10, 14))), (b"PK\1\2", _CENTRAL)):
        at = WHOLE.find(mark)
        while at >= 0:
            unread.update(at + place for place in places)
            at = WHOLE.find(mark, at + 1)
    return unread


_CENTRAL = (*range(4, 8), *range(12, 16), *range(34, 42))


def test_a_flip_of_any_bit_that_a_loader_looks_at_is_told():
    dice, missed = random.Random(0), set[int]()
    for at in range(len(WHOLE)):
        flipped = bytearray(WHOLE)
        flipped[at] ^= 1 << dice.randrange(8)
        if not TORCH.verify(MemorySource(bytes(flipped))):
            missed.add(at)

    assert missed <= unread_fields()
