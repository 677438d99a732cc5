from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.errors import UsageError
from trainctl.telemetry.slice import grep, moment, since, tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


@pytest.mark.parametrize(
    ("written", "lines", "left"),
    [
        (b"", 3, b""),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\nb\n", 9, b"a\nb\n"),
        (b"a\nb\n", 0, b""),
        (b"\n\n\n", 2, b"\n\n"),
        (b"a\n1%\r2%\r3%\nb\n", 2, b"1%\r2%\r3%\nb\n"),
        (b"a\nbar\n\r1\x1b[A\n\r2\x1b[A\n\r3\nc\n", 2, b"\r3\nc\n"),
        (b"a\nbar\n\r1\x1b[A\n\r2\x1b[A\n\r3\nc\n", 3, b"bar\n\r1\x1b[A\n\r2\x1b[A\n\r3\nc\n"),
    ],
)
def test_the_last_lines(log: Path, written: bytes, lines: int, left: bytes):
    log.write_bytes(written)
    assert written[tail(str(log), lines) :] == left


@given(written=st.binary(max_size=300), lines=st.integers(1, 5), block=st.integers(1, 50))
def test_the_last_lines_are_the_same_whatever_the_block(
    tmp_path_factory: pytest.TempPathFactory, written: bytes, lines: int, block: int
):
    written = written.replace(b"\x1b", b"\n")
    path = tmp_path_factory.getbasetemp() / "blocks.log"
    path.write_bytes(written)
    assert written[tail(str(path), lines, block) :] == b"".join(written_lines(written)[-lines:])


def written_lines(written: bytes) -> list[bytes]:
    pieces = written.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def test_a_log_that_is_not_there_yet_begins_at_its_start(tmp_path: Path):
    missing = str(tmp_path / "none")
    assert tail(missing, 10) == 0
    assert since(missing, missing, 5.0) == 0


def sampled(log: Path, samples: list[tuple[float, int]], junk: bytes = b"") -> str:
    path = log.with_name("system.jsonl")
    lines = [json.dumps({"at": at, "log_bytes": size}).encode() for at, size in samples]
    path.write_bytes(b"\n".join([*lines, junk]))
    return str(path)


def test_since_begins_with_the_line_that_the_sample_before_fell_into(log: Path):
    log.write_bytes(b"first\nsecond\nthird\n")
    samples = sampled(log, [(10.0, 3), (20.0, 8), (30.0, 13), (40.0, 19)])
    assert [since(str(log), samples, at) for at in (5, 10, 11, 21, 30, 31, 41)] == [
        0, 0, 0, 6, 6, 13, 19,
    ]  # fmt: skip


def test_since_survives_torn_and_foreign_lines(log: Path):
    log.write_bytes(b"x\n" * 100)
    samples = sampled(log, [(float(n), 2 * n) for n in range(100)], junk=b'{"at": 99.5, "log_by')
    assert since(str(log), samples, 50.5) == 100
    assert since(str(log), samples, 1000.0) == 198
    Path(samples).write_bytes(b"\xff\n[]\nnull\n" + b"[" * 10_000 + b"\n")
    assert since(str(log), samples, 50.0) == 0


def test_since_shows_everything_of_a_log_that_was_truncated(log: Path):
    log.write_bytes(b"new\n")
    assert since(str(log), sampled(log, [(1.0, 500)]), 2.0) == 0


@given(
    steps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), max_size=60),
    at=st.integers(0, 500),
)
def test_since_loses_no_line(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], at: int
):
    """Each step: time passes, bytes are written, a sample is taken."""
    log = tmp_path_factory.getbasetemp() / "since.log"
    samples: list[tuple[float, int]] = []
    clock = size = 0
    for seconds, amount in steps:
        clock, size = clock + seconds, size + amount
        samples.append((float(clock), size))
    log.write_bytes(b"1234567\n" * (size // 8) + b"z" * (size % 8))
    earlier = [taken for when, taken in samples if when < at]
    expected = (earlier[-1] if earlier else 0) // 8 * 8
    assert since(str(log), sampled(log, samples), float(at)) == expected


def seconds_of(text: str) -> float:
    if text[-1:] != "m":
        raise ValueError(text)
    return 60.0 * float(text[:-1])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10m", 1_800_000_000.0 - 600),
        ("2026-11-23T10:00Z", 1_795_428_000.0),
        ("2026-11-23T10:00:30+01:00", 1_795_424_430.0),
        ("2026-11-23", datetime(2026, 11, 23).timestamp()),  # noqa: DTZ001 - local is meant
    ],
)
def test_moments_are_durations_or_times(text: str, meant: float):
    assert moment(text, 1_800_000_000.0, seconds_of) == meant


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "9" * 500, "m"])
def test_a_wrong_moment_says_how_to_write_it(text: str):
    with pytest.raises(UsageError) as caught:
        moment(text, 0.0, seconds_of)
    assert "10m" in str(caught.value.hint)


def test_grep_keeps_lines_that_match():
    assert list(grep(["loss 0.5", "step 3", "\x1b[1mlo\x1b[0mss 1"], r"loss \d")) == [
        "loss 0.5",
        "\x1b[1mlo\x1b[0mss 1",
    ]


@pytest.mark.parametrize(("pattern", "place"), [("loss (", "position 5"), ("[a", "position 0")])
def test_a_wrong_pattern_is_refused_at_once_and_names_the_place(pattern: str, place: str):
    with pytest.raises(UsageError, match=place):
        grep([], pattern)
