"""Small files are whole or absent."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import need
from trainctl.kit import files


def test_a_written_object_is_read_back(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    files.write_json(path, {"name": "ä\udcff", "n": 1})
    assert files.read_json(path) == {"name": "ä\udcff", "n": 1}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\x00", "[" * 100_000])
def test_what_is_no_whole_object_reads_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert files.read_json(str(tmp_path / "a.json")) is None


def test_only_a_regular_file_is_opened_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    os.mkfifo(path)
    for other in (path, tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match=r"regular|directory"):
            files.open_regular(str(other))
    path.unlink()
    path.write_bytes(b"text")
    with files.open_regular(str(path)) as file:
        assert file.read() == b"text"


def test_no_file_reads_as_none(tmp_path: Path) -> None:
    assert files.read_json(str(tmp_path / "a.json")) is None
    (tmp_path / "file").touch()
    assert files.read_json(str(tmp_path / "file" / "a.json")) is None


def test_once_is_decided_by_the_file_system(tmp_path: Path) -> None:
    path = str(tmp_path / "exit.json")
    files.write_json(path, {"first": 1}, once=True)
    with pytest.raises(FileExistsError):
        files.write_json(path, {"second": 2}, once=True)
    assert files.read_json(path) == {"first": 1}
    assert os.listdir(tmp_path) == ["exit.json"]


TWICE = """
import sys
from trainctl.kit import files
files.write_json(sys.argv[1], {"first": 1}, once=True)
try:
    files.write_json(sys.argv[1], {"second": 2}, once=True)
except FileExistsError:
    print("refused")
"""


@need.tool("strace")
def test_a_file_system_without_links_still_writes_once(tmp_path: Path) -> None:
    path = tmp_path / "there" / "exit.json"
    path.parent.mkdir()
    no_links = ["-e", "trace=link,linkat", "-e", "inject=link,linkat:error=EPERM"]
    done = subprocess.run(
        ["strace", "-q", "-o", os.devnull, *no_links, sys.executable, "-c", TWICE, str(path)],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"refused\n"
    assert files.read_json(str(path)) == {"first": 1}
    assert os.listdir(path.parent) == ["exit.json"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    files.write_json(path, {"old": 1})
    with limited_to(4), pytest.raises(OSError, match=r"a\.json"):
        files.write_json(path, {"new": 2})
    assert files.read_json(path) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


@contextmanager
def limited_to(size: int) -> Iterator[None]:
    """Files of at most so many bytes: the cheapest full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    files.remove(str(tmp_path / "a"))
    files.remove(str(tmp_path / "a"))
    assert os.listdir(tmp_path) == []
