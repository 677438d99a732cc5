"""Does it still move, and will the disk last: samples in, events out."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.supervisor.judging import Judge
from trainctl.supervisor.stopping import remaining

GB = 1_000_000_000


def sample(**facts: Any) -> dict[str, Any]:
    return {"at": 1000.0, "log_bytes": 1, "cpu_percent": 0.0, "disk_free_bytes": 100 * GB, **facts}


def events_of(judge: Judge, *looks: tuple[float, dict[str, Any]]) -> list[str]:
    return [event for now, seen in looks for event, _ in judge.look(seen, now)]


def test_silence_is_a_stall_once_and_a_byte_ends_it() -> None:
    judge = Judge(60, None)
    looks = [(now, sample()) for now in (0, 59, 60, 120)]
    assert events_of(judge, *looks) == ["stalled"]
    assert events_of(judge, (125, sample(log_bytes=2)), (130, sample(log_bytes=2))) == [
        "recovered"
    ]


@pytest.mark.parametrize(
    "busy", [{"cpu_percent": 50.0}, {"gpus": [{"utilization_percent": 90.0}]}]
)
def test_who_computes_is_not_stalled(busy: dict[str, Any]) -> None:
    assert events_of(Judge(60, None), (0, sample()), (61, sample(**busy))) == []


def test_a_wall_clock_that_jumps_stalls_nothing() -> None:
    judge = Judge(60, None)
    assert events_of(judge, (0, sample()), (5, sample(at=1000.0 + 365 * 86400))) == []


def test_zero_switches_the_stall_off() -> None:
    assert events_of(Judge(0, None), (0, sample()), (1e6, sample())) == []


def test_a_disk_that_fills_within_the_hour_is_told_once() -> None:
    looks = [(5.0 * n, sample(disk_free_bytes=100 * GB - n * GB)) for n in range(30)]
    assert events_of(Judge(None, None), *looks) == ["disk_will_fill"]


def test_a_disk_with_little_left_is_told_at_once_and_again_after_room_was_made() -> None:
    judge = Judge(None, 5 * GB)
    low, high = sample(disk_free_bytes=4 * GB), sample(disk_free_bytes=50 * GB)
    assert events_of(judge, (0, low), (5, low), (10, high), (15, low)) == ["disk_will_fill"] * 2


def test_a_disk_that_nobody_could_ask_is_no_event() -> None:
    seen = sample()
    del seen["disk_free_bytes"]
    assert events_of(Judge(None, None), (0, seen)) == []


PERCENT = st.none() | st.floats(0, 100)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e7),
            st.fixed_dictionaries(
                {
                    "at": st.floats(-1e9, 1e10),
                    "log_bytes": st.integers(0, 10),
                    "disk_free_bytes": st.integers(0, 10**13),
                    "cpu_percent": st.none() | st.floats(0, 1e4),
                    "gpus": st.lists(st.fixed_dictionaries({"utilization_percent": PERCENT})),
                }
            ),
        ),
        max_size=30,
    )
)
def test_any_samples_are_judged(looks: list[tuple[float, dict[str, Any]]]) -> None:
    told = events_of(Judge(None, None), *sorted(looks, key=lambda look: look[0]))
    stalls = [event for event in told if event != "disk_will_fill"]
    assert stalls == ["stalled", "recovered"] * (len(stalls) // 2) + ["stalled"] * (
        len(stalls) % 2
    )


@pytest.mark.parametrize(
    ("ago", "left"), [(0, 30), (10, 20), (30, 0), (365 * 86400, 0), (-365 * 86400, 30)]
)
def test_what_is_left_of_a_span_stays_within_it_whatever_the_clock_does(
    ago: float, left: float
) -> None:
    assert remaining(30.0, time.time() - ago) == pytest.approx(left, abs=0.5)
