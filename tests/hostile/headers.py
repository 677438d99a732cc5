"""safetensors files that break a rule of the format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Self

from tests.hostile.case import DATA, MALFORMED, Case

GOOD = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def cases() -> Iterator[Case]:
    yield Case("a good header, for comparison", of({"w": GOOD}), DATA, format="safetensors")
    for title, data, says in (*_raw(), *_entries()):
        yield Case(title, data, MALFORMED, says, format="safetensors")


def of(header: object, data: int = 16) -> bytes:
    return raw(json.dumps(header).encode(), data)


def raw(header: bytes, data: int = 16) -> bytes:
    return len(header).to_bytes(8, "little") + header + bytes(data)


def _raw() -> Iterator[tuple[str, bytes, str]]:
    yield "a header of 2^63 bytes", (1 << 63).to_bytes(8, "little") + b"{}", "cut off"
    yield "a header of 200 MB", Zeros(200_000_000), "more than the format allows"
    yield "seven bytes", b"\1\0\0\0\0\0\0", "cut off"
    yield "half a header", of({"w": GOOD}, 0)[:40], "cut off"
    yield "no JSON", raw(b"{hello}"), "JSON"
    yield "a list", raw(b"[1]"), "begin with {"
    yield "spaces first", raw(b"  {}", 0), "begin with {"
    yield "no unicode", raw(b'{"\xff\xfe": 1}'), "JSON"
    yield "JSON nested deeply", raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "JSON"
    yield "objects nested deeply", raw(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "JSON"
    yield "a tensor twice", raw(_twice()), "twice"
    yield "a shape twice", raw(b'{"w":{"dtype":"F32","shape":[4],"shape":[4]}}'), "twice"
    yield "not a number", raw(b'{"w":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}'), "JSON"
    yield "a number of 10,000 digits", raw(b'{"w":' + b"9" * 10_000 + b"}"), "JSON"


def _twice() -> bytes:
    one = json.dumps({"w": GOOD})
    return (one[:-1] + "," + one[1:]).encode()


def _entries() -> Iterator[tuple[str, bytes, str]]:
    second = GOOD | {"data_offsets": [16, 32]}
    yield "an overlap", of({"a": GOOD, "b": GOOD | {"data_offsets": [8, 24]}}, 24), "overlaps"
    yield "the same place twice", of({"a": GOOD, "b": GOOD}), "overlaps"
    yield "a gap", of({"a": GOOD, "b": GOOD | {"data_offsets": [20, 36]}}, 36), "leaves 4 bytes"
    yield "a gap at the start", of({"b": second}, 32), "leaves 16 bytes"
    yield "data that is cut off", of({"a": GOOD, "b": second}, 31), "cut off"
    yield "data that is left over", of({"a": GOOD}, 17), "1 bytes follow"
    yield "metadata of numbers", of({"__metadata__": {"step": 3}, "w": GOOD}), "__metadata__"
    yield "metadata of a list", of({"__metadata__": [], "w": GOOD}), "__metadata__"
    for title, change in _CHANGES.items():
        yield title, of({"w": GOOD | change}), "described wrongly"
    yield "a tensor that is a text", of({"w": "F32"}), "described wrongly"
    yield "a tensor that is null", of({"w": None}), "described wrongly"
    yield "a tensor without a shape", of({"w": {"dtype": "F32"}}), "described wrongly"
    yield "a tensor with more to it", of({"w": GOOD | {"more": 1}}), "described wrongly"


_CHANGES: dict[str, dict[str, object]] = {
    "a negative offset": {"data_offsets": [-16, 0]},
    "an end before its start": {"data_offsets": [16, 0]},
    "three offsets": {"data_offsets": [0, 8, 16]},
    "offsets as texts": {"data_offsets": ["0", "16"]},
    "offsets as fractions": {"data_offsets": [0.0, 16.0]},
    "a shape of truths": {"shape": [True, 4]},
    "a shape of fractions": {"shape": [2.0, 2]},
    "a negative shape": {"shape": [-2, -2]},
    "a shape as a text": {"shape": "22"},
    "a shape that wraps around": {"shape": [1 << 62, 1 << 62, 4]},
    "a thousand dimensions": {"shape": [1] * 1000},
    "an unknown dtype": {"dtype": "F31"},
    "a dtype that is a list": {"dtype": ["F32"]},
    "a size that does not fit": {"shape": [3]},
}


class Zeros(bytes):
    """A file that is this long, of which only the first eight bytes are kept."""

    length: int

    def __new__(cls, length: int) -> Self:
        made = super().__new__(cls, length.to_bytes(8, "little") + b"{" + bytes(100))
        made.length = length + 8
        return made

    def __len__(self) -> int:
        return self.length
