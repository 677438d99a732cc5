"""Copies: which of them go, and that what lands is what was hashed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import manifest
from trainctl.supervisor import copying
from trainctl.supervisor.copying import COPIES, Kept, copy_file, surplus

KEPT = st.lists(
    st.builds(
        Kept,
        copy=st.integers(0, 999).map(str),
        path=st.sampled_from(["last.pt", "best.pt"]),
        number=st.integers(0, 999),
        size=st.integers(0, 10),
    ),
    max_size=8,
    unique_by=(lambda one: one.copy, lambda one: one.number),
)


@given(KEPT, st.integers(0, 50))
def test_the_newest_of_each_path_stays_and_the_rest_fits(kept: list[Kept], limit: int):
    gone = surplus(kept, limit)
    left = [one for one in kept if one not in gone]
    newest = {one.path: one for one in sorted(kept, key=lambda one: one.number)}
    assert set(newest.values()) <= set(left)
    for path in newest:
        assert sum(one.path == path for one in left) <= COPIES
    fits = sum(one.size for one in left) <= limit
    assert fits or len(left) == len(newest)


def pace(count: int) -> None: ...


@pytest.mark.parametrize("shares", [False, True], ids=["copied", "shared"])
def test_what_changed_since_it_was_hashed_is_not_taken(tmp_path: Path, shares: bool):
    source, target = tmp_path / "last.pt", tmp_path / "copy.pt"
    source.write_bytes(b"hashed")
    [record] = manifest.make(str(source)).files

    def share(old: int, new: int) -> bool:
        """A file system that can share blocks shares what is there now."""
        if shares:
            os.write(new, os.pread(old, 100, 0))
        return shares

    copy_file(str(source), str(target), record, pace, share)
    assert target.read_bytes() == b"hashed"
    assert target.stat().st_mtime_ns == record.mtime_ns
    target.unlink()
    source.write_bytes(b"newer!")
    with pytest.raises(copying.ChangedError):
        copy_file(str(source), str(target), record, pace, share)


def test_no_blocks_are_shared_where_they_cannot_be(tmp_path: Path):
    source = tmp_path / "a"
    source.write_bytes(b"x")
    with source.open("rb") as old, open(os.devnull, "wb") as new:
        assert not copying.clone(old.fileno(), new.fileno())
