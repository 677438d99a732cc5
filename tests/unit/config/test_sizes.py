from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.config import size, spoken_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("500MB", 5 * 10**8),
        ("20GB", 2 * 10**10),
        ("1.5tb", 15 * 10**11),
        ("8 GiB", 8 * 2**30),
        ("0.5kb", 500),
        ("512", 512),
        ("7B", 7),
    ],
)
def test_sizes_are_read_as_people_type_them(text: str, count: int):
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-5GB", "5 gigabytes", "1e9", "nan", "1.2.3GB", "٣GB"])
def test_anything_else_is_refused_with_how_to_write_it(text: str):
    with pytest.raises(ValueError, match="write 500MB, 20GB or"):
        size(text)


@given(st.integers(0, 10**17))
def test_what_is_spoken_is_read_back(count: int):
    assert size(spoken_size(count)) == count


@pytest.mark.parametrize("text", ["20GB", "1.5TB", "500MB", "1001B"])
def test_the_shortest_text_is_spoken(text: str):
    assert spoken_size(size(text)) == text
