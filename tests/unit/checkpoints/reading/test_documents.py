"""JSON from checkpoints: what is none is a finding, never an error and never unbounded."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.sources import MemorySource
from trainctl.checkpoints.reading import documents


def finding(data: bytes) -> str:
    (only,) = documents.read_object(MemorySource("x", {"a.json": data}), "a.json").findings
    return only


def test_an_object_is_read():
    data = b'{"step": 5, "nested": {"loss": 0.5, "deeper": {"name": "x"}}, "list": [1]}'
    document = documents.read_object(MemorySource("x", {"a.json": data}), "a.json")
    assert document.findings == ()
    assert documents.scalars(document.value) == {
        "step": 5,
        "nested.loss": 0.5,
        "nested.deeper.name": "x",
    }


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no JSON"),
        (b'{"a": 1', "is no JSON"),
        (b"[1, 2]", "holds no JSON object"),
        (b"3", "holds no JSON object"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "\xff\xfe"}', "is no JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_object_is_told(data: bytes, told: str):
    assert told in finding(data)


def test_what_is_missing_or_too_long_is_told():
    source = MemorySource("x", {"a.json": b" " * 100})
    assert documents.read_object(source, "b.json").findings == ("b.json is missing",)
    assert "more than is ever read" in documents.read_object(source, "a.json", 99).findings[0]
    assert source.read_bytes == 0


def test_numbers_are_what_they_say():
    assert documents.number(10**400) is None
    assert documents.number(True) is None
    assert documents.number("1") is None
    assert documents.number(1) == 1.0
    assert documents.whole(10**18) is None
    assert documents.whole(1.0) is None
    assert documents.numbers({"a": 1, "b": "x", "c": 2.5}) == {"a": 1.0, "c": 2.5}


def test_a_hundred_thousand_keys_twice_cost_no_time():
    data = b"{" + b",".join(b'"k%d": 1' % number for number in range(200_000)) + b', "k199999": 2}'
    began = time.process_time()
    assert "twice" in finding(data)
    assert time.process_time() - began < 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_is_answered(value: object):
    document = documents.parse(json.dumps(value).encode(), "a.json")
    documents.scalars(document.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes):
    documents.read_object(MemorySource("x", {"a.json": data}), "a.json")
