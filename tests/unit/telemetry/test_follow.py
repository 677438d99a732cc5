from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.clock import SystemClock
from trainctl.telemetry.follow import BLOCK, Break, Log, copy_follow, follow, merge, write_all


class Script:
    """A waiter that plays the writer: each wait does the next act; then it is done."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts = list(acts)

    def wait(self, *, found: bool) -> None:
        if self._acts and not found:
            self._acts.pop(0)()

    def done(self) -> bool:
        return not self._acts


def followed(path: Path, script: Script, offset: int = 0) -> tuple[bytes, list[Break]]:
    breaks: list[Break] = []
    chunks = follow(
        str(path), offset, script.done, SystemClock(), announce=breaks.append, waiter=script
    )
    return b"".join(chunks), breaks


def append(path: Path, data: bytes) -> Callable[[], object]:
    def act() -> None:
        with path.open("ab") as log:
            log.write(data)

    return act


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def test_what_is_there_and_what_is_added_is_read_from_the_offset(log: Path):
    log.write_bytes(b"old new")
    assert followed(log, Script(append(log, b" newer"), append(log, b" newest")), 4) == (
        b"new newer newest",
        [],
    )


def test_a_log_may_appear_late(log: Path):
    assert followed(log, Script(lambda: None, append(log, b"here"))) == (b"here", [])


def test_a_log_may_never_appear(log: Path):
    assert followed(log, Script()) == (b"", [])


def test_a_truncated_log_is_read_from_its_start(log: Path):
    log.write_bytes(b"much text")
    script = Script(lambda: log.write_bytes(b"new"), append(log, b"er"))
    assert followed(log, script) == (b"much textnewer", [Break.TRUNCATED])


def test_an_offset_beyond_the_end_counts_as_truncated(log: Path):
    log.write_bytes(b"short")
    assert followed(log, Script(), 100) == (b"short", [Break.TRUNCATED])


def test_a_replaced_log_is_drained_and_then_the_new_one_read(log: Path):
    log.write_bytes(b"one ")

    def replace() -> None:
        append(log, b"two ")()
        log.rename(log.with_suffix(".1"))
        log.write_bytes(b"three")

    assert followed(log, Script(replace)) == (b"one two three", [Break.REPLACED])


def test_a_deleted_log_is_announced_once_and_its_successor_read(log: Path):
    log.write_bytes(b"one ")
    script = Script(log.unlink, lambda: None, lambda: None, append(log, b"two"))
    assert followed(log, script) == (b"one two", [Break.DELETED, Break.REPLACED])


def test_what_is_written_to_a_deleted_log_is_still_read(log: Path):
    with log.open("wb", buffering=0) as writer:
        script = Script(log.unlink, lambda: writer.write(b"still here"))
        assert followed(log, script) == (b"still here", [Break.DELETED])


def test_what_was_written_before_the_end_is_read_whole(log: Path):
    log.write_bytes(b"x" * (3 * BLOCK + 7))
    assert len(followed(log, Script())[0]) == 3 * BLOCK + 7


def test_an_empty_chunk_comes_when_nothing_does(log: Path):
    log.write_bytes(b"x")
    script = Script(lambda: None, lambda: None)
    assert list(follow(str(log), 0, script.done, SystemClock(), waiter=script)) == [b"x", b"", b""]


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(min_size=1, max_size=20)),
        st.tuples(st.just("truncate"), st.just(b"")),
        st.tuples(st.just("rename"), st.binary(max_size=20)),
        st.tuples(st.just("delete"), st.just(b"")),
    ),
    max_size=20,
)


def change(path: Path, kind: str, data: bytes) -> Callable[[], object]:
    def act() -> None:
        if kind == "append":
            append(path, data)()
        elif kind == "truncate" and path.exists():
            os.truncate(path, 0)
        elif kind == "rename" and path.exists():
            path.rename(path.with_suffix(".1"))
            path.write_bytes(data)
        elif kind == "delete":
            path.unlink(missing_ok=True)

    return act


@given(ACTS)
def test_nothing_is_lost_that_stood_longer_than_a_look(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, bytes]]
):
    path = tmp_path_factory.getbasetemp() / "changing.log"
    path.unlink(missing_ok=True)

    written = b""
    there = False
    for kind, data in acts:
        if kind == "append" or (kind == "rename" and there):
            written, there = written + data, True
        there = there and kind != "delete"
    assert followed(path, Script(*(change(path, *each) for each in acts)))[0] == written


def test_reading_keeps_one_file_open(log: Path):
    log.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with Log(str(log)) as reader:
        for _ in range(100):
            reader.read()
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after == before


def test_several_logs_are_followed_together(tmp_path: Path):
    one, two = tmp_path / "rank0.log", tmp_path / "rank1.log"
    one.write_bytes(b"skipped a")
    script = Script(append(two, b"b"), append(one, b"c"))
    chunks = merge(
        {"rank0": str(one), "rank1": str(two)},
        {"rank0": 8},
        script.done,
        SystemClock(),
        waiter=script,
    )
    assert [chunk for chunk in chunks if chunk[1]] == [
        ("rank0", b"a"), ("rank1", b"b"), ("rank0", b"c"),
    ]  # fmt: skip


def read_all(descriptor: int, into: list[bytes]) -> None:
    while data := os.read(descriptor, 65_536):
        into.append(data)


def test_a_copy_is_the_same_byte_for_byte_also_to_a_slow_non_blocking_pipe(log: Path):
    content = os.urandom(3_000_000)
    log.write_bytes(content)
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    taken: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(source, taken))
    reader.start()
    copied = copy_follow(str(log), 0, sink, lambda: True, SystemClock())
    os.close(sink)
    reader.join()
    os.close(source)
    assert (copied, b"".join(taken)) == (len(content), content)


def test_a_reader_that_went_away_is_the_callers_affair(log: Path):
    log.write_bytes(b"x")
    source, sink = os.pipe()
    os.close(source)
    with pytest.raises(BrokenPipeError):
        write_all(sink, b"x")
    os.close(sink)
