"""Open files as the kernel tells of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from trainctl.kit import opened

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run: needs /proc")


def test_who_reads_and_who_writes(tmp_path: Path):
    read, write = tmp_path / "read.pt", tmp_path / "folder/write.pt"
    write.parent.mkdir()
    read.touch()
    with write.open("wb"), read.open("rb"):
        everything = opened.by([os.getpid()])
        assert {str(read), str(write)} <= everything
        writing = opened.by([os.getpid()], writing=True)
        assert str(write) in writing
        assert str(read) not in writing
        assert opened.touches(writing, str(write.parent)) == str(write)
        assert opened.touches(writing, str(tmp_path / "fold")) is None
    assert str(read) not in opened.by([os.getpid()])


def test_nobody_holds_anything():
    assert opened.by([2**22 + 1]) == set()
