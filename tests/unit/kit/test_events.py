"""The event log: what was acknowledged is there, what was damaged shows."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import events

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.sampled_from(["evidence", "by", "step", "path"]), VALUES, max_size=4)
EVENTS = st.lists(FIELDS, min_size=1, max_size=5)


def encoded(records: list[dict[str, Any]]) -> bytes:
    return b"".join(events.encode({"at": 1.5, "event": "e", **fields}) for fields in records)


@given(FIELDS)
def test_what_is_encoded_is_decoded(fields: dict[str, Any]) -> None:
    record = {"at": 1.5, "event": "started", **fields}
    line = events.encode(record)
    assert events.decode(line[:-1]) == record
    assert json.loads(line).pop("crc")
    assert line.count(b"\n") == 1


@given(EVENTS, st.data())
def test_any_flipped_bit_shows_and_never_passes_for_a_record(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = encoded(records)
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
    seen = events.read(str(path))
    assert seen.corrupt
    originals = [{"at": 1.5, "event": "e", **fields} for fields in records]
    assert all(record in originals for record in seen.records)


@given(EVENTS, st.data())
def test_a_torn_tail_is_not_read_and_is_cut_by_the_next_append(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = encoded(records)
    last = len(encoded(records[-1:]))
    cut = data.draw(st.integers(len(whole) - last, len(whole) - 1))
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(whole[:cut])
    assert (len(events.read(str(path)).records), events.read(str(path)).corrupt) == (
        len(records) - 1,
        [],
    )
    events.append(str(path), "next", durable=False)
    seen = events.read(str(path))
    assert [record["event"] for record in seen.records] == ["e"] * (len(records) - 1) + ["next"]
    assert seen.corrupt == []


def test_a_record_that_lost_its_newline_alone_is_kept_told_and_mended(tmp_path: Path) -> None:
    log = str(tmp_path / "log.jsonl")
    events.append(log, "first")
    text = Path(log).read_bytes()
    Path(log).write_bytes(text[:-1] + b"\x0b")
    assert [r["event"] for r in events.read(log).records] == ["first"]
    assert events.read(log).corrupt == [1]
    events.append(log, "second")
    assert [r["event"] for r in events.read(log).records] == ["first", "second"]
    assert events.read(log).corrupt == []


def test_a_tail_longer_than_a_block_is_cut_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    events.append(str(log), "first")
    with log.open("ab") as file:
        file.write(b"x" * 20_000)
    events.append(str(log), "second")
    assert [r["event"] for r in events.read(str(log)).records] == ["first", "second"]


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    events.append(str(log), "first")
    before = log.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match=r"log\.jsonl"):
            events.append(str(log), "second")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert log.read_bytes() == before


def test_two_who_append_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    log = str(tmp_path / "log.jsonl")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(log, who)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    seen = events.read(log)
    assert (len(seen.records), seen.corrupt) == (300, [])


def write_many(log: str, who: int) -> None:
    for number in range(100):
        events.append(log, "event", {"who": who, "number": number}, durable=False)


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert events.read(str(tmp_path / "none")) == events.Log([], [])
    (tmp_path / "file").touch()
    assert events.read(str(tmp_path / "file" / "none")) == events.Log([], [])


def test_a_link_planted_at_the_log_is_not_followed(tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere", tmp_path / "log.jsonl")
    with pytest.raises(OSError, match="symbolic"):
        events.append(str(tmp_path / "log.jsonl"), "event")
    assert not (tmp_path / "elsewhere").exists()
