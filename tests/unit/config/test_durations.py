from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.config import duration, spoken


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93_784),
        ("90", 90),
        ("1.5", 1.5),
        ("0.5h", 1800),
        (" 1h 30m ", 5400),
        ("2H", 7200),
        ("0", 0),
    ],
)
def test_durations_are_read_as_people_type_them(text: str, seconds: float):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "-5s", "5 minutes", "30m1h", "1h1h", "nan", "inf", "1e9", "٣m", "9" * 400],
)
def test_anything_else_is_refused_with_how_to_write_it(text: str):
    with pytest.raises(ValueError, match="write 30s, 5m, 2h, 1d or 1h30m"):
        duration(text)


@given(st.integers(0, 10**9 - 1))
def test_what_is_spoken_is_read_back(seconds: int):
    assert duration(spoken(seconds)) == seconds


def test_durations_are_spoken_as_people_type_them():
    assert [spoken(30), spoken(5400), spoken(86_400), spoken(0.5), spoken(0)] == [
        "30s",
        "1h30m",
        "1d",
        "0.5s",
        "0s",
    ]
