"""Sums of files: from their blocks, and by two cores, they are those of the whole."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import crc, hashing


@given(st.binary(max_size=200), st.binary(max_size=5000))
def test_the_sum_of_two_pieces_is_combined_from_theirs(one: bytes, other: bytes) -> None:
    combined = crc.combine(zlib.crc32(one), zlib.crc32(other), len(other))
    assert combined == zlib.crc32(one + other)


def test_pieces_may_be_longer_than_any_memory() -> None:
    long = crc.combine(zlib.crc32(b"x"), crc_of_zeros(1 << 40), 1 << 40)
    again = crc.combine(
        crc.combine(zlib.crc32(b"x"), crc_of_zeros(1 << 39), 1 << 39),
        crc_of_zeros(1 << 39),
        1 << 39,
    )
    assert long == again


def crc_of_zeros(count: int) -> int:
    total, length = zlib.crc32(b"\0"), 1
    while length < count:
        total, length = crc.combine(total, total, length), length * 2
    return total


@pytest.mark.parametrize("size", [0, 1, 3 << 20, (33 << 20) + 7])
@pytest.mark.parametrize("aside", [False, True])
def test_a_file_s_sums_are_those_of_its_content(tmp_path: Path, size: int, *, aside: bool) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    record = hashing.hash_file(str(path), "file", path.stat(), aside=aside)
    assert (record.size, record.crc32) == (size, zlib.crc32(data))
    assert record.sha256 == hashlib.sha256(data).hexdigest()
    assert hashing.check_file(record, str(path), size, aside=aside) == []
    if size:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert hashing.check_file(record, str(path), size, aside=aside)
