"""How a run ended, in one line and as an exit code."""

from __future__ import annotations

from typing import Any

import pytest

from trainctl.cli import listing, output
from trainctl.cli.verdict import exit_code
from trainctl.records import index
from trainctl.records.asked import fold
from trainctl.records.record import AttemptRecord, Record
from trainctl.records.state import Reason, State

BLANK = {**dict.fromkeys(AttemptRecord._fields), "checkpoints": []}


def attempt(**known: Any) -> AttemptRecord:
    return AttemptRecord(**{**BLANK, **known})


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (attempt(code=3, reason=Reason.FAILED), 3),
        (attempt(signal=9, reason=Reason.FAILED), 137),
        (attempt(reason=Reason.STOPPED), 143),
        (attempt(reason=Reason.UNKNOWN_EXIT), 125),
        (attempt(reason=Reason.NO_CAPACITY), 125),
        (attempt(reason=Reason.SETUP_FAILED), 125),
    ],
)
def test_the_exit_code_is_the_scripts_or_says_that_it_is_not(ended: AttemptRecord, code: int):
    assert exit_code(ended) == code


def test_time_between_attempts_is_not_training():
    attempts = [attempt(started=1.0, ended=11.0), attempt(started=500.0, ended=505.0), attempt()]
    record = Record("r", "/r", State.ENDED, None, "", attempts, [], fold([]), [])

    assert record.trained_seconds == 15
    row = index.row(record, {})
    assert (row.trained, row.going_since) == (15, None)
    assert listing.cells(row, now=9000.0)[3] == "15.0 s"


def test_an_attempt_that_goes_on_counts_until_now():
    attempts = [attempt(started=1.0, ended=11.0), attempt(started=500.0)]
    record = Record("r", "/r", State.RUNNING, None, "", attempts, [], fold([]), [])

    assert listing.cells(index.row(record, {}), now=520.0)[3] == "30.0 s"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (output.spoken(30), "30 s"),
        (output.spoken(90), "1.5 min"),
        (output.spoken(7200), "2 h"),
        (output.counted(1, "checkpoint"), "1 checkpoint"),
        (output.counted(0, "checkpoint"), "0 checkpoints"),
        (output.duration(4.21), "4.2 s"),
        (output.duration(3725), "1:02:05"),
        (output.age(59), "59 s"),
        (output.age(86400 * 3), "3 d"),
        (output.size(512), "512 B"),
        (output.size(3_100_000), "3.1 MB"),
    ],
)
def test_amounts_read_as_a_person_would_say_them(shown: str, expected: str):
    assert shown == expected
