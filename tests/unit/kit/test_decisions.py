"""Why an attempt ended, and whether another follows: tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import reasons
from trainctl.kit.reasons import classify
from trainctl.kit.retry import Ended, verdict

ASKED = {"by": "asked by a person", "grace_seconds": 30.0}


@pytest.mark.parametrize(
    ("ended", "tail", "stop", "reason", "evidence"),
    [
        ({"code": 0}, b"done\n", None, "succeeded", "exit code 0"),
        ({"code": 1}, b"", None, "failed", "exit code 1"),
        ({"code": 1}, b"a\nKeyError: 'x'\n\n", None, "failed", "exit code 1: KeyError: 'x'"),
        ({"signal": 9, "code": None}, b"", None, "failed", "killed by SIGKILL"),
        ({"signal": 250, "code": None}, b"", None, "failed", "killed by signal 250"),
        ({"code": 0}, b"", ASKED, "stopped", "asked by a person; exit code 0"),
        ({"code": 1}, b"CUDA out of memory. Tried\n", None, "out_of_memory", "CUDA out of memory"),
        ({"code": 0}, b"CUDA out of memory\n", None, "succeeded", "exit code 0"),
        ({"code": 1}, b"OSError: No space left on device\n", None, "disk_full", "No space"),
        ({"reason": "no_capacity", "evidence": "GPU 0"}, b"", None, "no_capacity", "GPU 0"),
        ({"reason": "no_capacity", "evidence": "GPU 0"}, b"", ASKED, "no_capacity", "GPU 0"),
        ({"reason": "unknown_exit", "evidence": "?"}, b"", None, "unknown_exit", "?"),
        ({"reason": "unknown_exit"}, b"", ASKED, "stopped", "nobody saw its exit status"),
        ({"code": 1}, b"x", {"reason": "deadline", "by": "time"}, "deadline", "time; exit code 1"),
        ({"code": 2}, b"10%\r20%\r30%", None, "failed", "exit code 2: 30%"),
        ({"code": 2}, b"\x1b[31mred\x07\xff\n", None, "failed", "exit code 2: ?[31mred?"),
    ],
)
def test_an_end_has_its_reason_and_evidence(
    ended: dict[str, Any], tail: bytes, stop: Any, reason: str, evidence: str
) -> None:
    end = classify(ended, tail, stop)
    assert end.reason == reason
    assert evidence in end.evidence


@pytest.mark.parametrize(
    ("ended", "tail", "reason"),
    [
        ({"signal": 9, "code": None}, b"", "out_of_memory"),
        ({"code": 137}, b"", "out_of_memory"),
        ({"code": 1}, b"DataLoader worker is killed by signal: Killed.\n", "out_of_memory"),
        ({"code": 1}, b"ValueError\n", "failed"),
        ({"code": 0}, b"", "succeeded"),
    ],
)
def test_a_kill_at_the_memory_limit_counts_where_something_was_killed(
    ended: dict[str, Any], tail: bytes, reason: str
) -> None:
    assert classify(ended, tail, out_of_memory_kills=1).reason == reason


@given(st.integers(-1, 255) | st.none(), st.integers(1, 64) | st.none(), st.binary(max_size=200))
def test_any_end_has_a_printable_evidence(
    code: int | None, number: int | None, tail: bytes
) -> None:
    end = classify({"code": code, "signal": number}, tail)
    assert end.reason in {"succeeded", "failed", "out_of_memory", "disk_full"}
    assert end.evidence.isprintable()
    assert len(end.evidence) < 400
    assert reasons.describe({"code": code, "signal": number})


def ended(
    reason: str = "failed", seconds: float = 5, *, saved: bool = False, automatic: bool = True
) -> Ended:
    return Ended(reason, seconds, saved, automatic)


FIRST = ended(automatic=False)


def test_without_retries_nothing_follows() -> None:
    assert not verdict([FIRST], 0).again


@pytest.mark.parametrize(
    "reason",
    [
        "succeeded",
        "stopped",
        "out_of_memory",
        "disk_full",
        "deadline",
        "setup_failed",
        "no_capacity",
    ],
)
def test_what_asking_again_does_not_help_is_not_retried(reason: str) -> None:
    told = verdict([ended(reason, automatic=False)], 5)
    assert (told.again, told.why) == (False, f"{reason} is not retried")


def test_pauses_double_up_to_a_minute() -> None:
    history = [FIRST._replace(seconds=1000)]
    delays: list[float] = []
    for _ in range(8):
        told = verdict(history, 8)
        delays.append(told.delay_seconds)
        history.append(ended(seconds=1000))
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert verdict(history, 8).why == "all 8 retries are used"


def test_retries_are_counted_from_the_last_start_by_hand() -> None:
    history = [FIRST, ended(saved=True), ended(automatic=False)]
    assert verdict(history, 1).again


def test_three_quick_ends_that_saved_nothing_are_a_crash_loop() -> None:
    told = verdict([FIRST, ended(), ended()], 10)
    assert (told.again, told.crash_loop) == (False, True)


@pytest.mark.parametrize("better", [ended(saved=True), ended(seconds=61), ended("preempted")])
def test_progress_is_no_crash_loop(better: Ended) -> None:
    assert verdict([FIRST, better, ended()], 10).again
