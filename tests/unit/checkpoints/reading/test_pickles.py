"""The symbolic reader of pickles against the real one, which may run on what we made ourselves."""

from __future__ import annotations

import contextlib
import io
import pickle
import pickletools
import random
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from pathlib import PurePosixPath
from typing import Any, Self

import hypothesis.strategies as some
import pytest
from hypothesis import given, settings

from trainctl.checkpoints.formats.protocol import Verdict
from trainctl.checkpoints.reading import allowed, pickles
from trainctl.checkpoints.reading.opcodes.table import TABLE
from trainctl.checkpoints.reading.pickled import (
    Call,
    Global,
    Key,
    Long,
    Persistent,
    Value,
    mapping,
)

LEAVES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(1 << 900), 1 << 900),
    some.floats(allow_nan=False),
    some.text(),
    some.binary(),
)
KEYS = some.one_of(some.text(), some.integers(-(1 << 50), 1 << 50), some.booleans(), some.none())
VALUES = some.recursive(
    LEAVES,
    lambda inner: some.one_of(
        some.lists(inner), some.dictionaries(KEYS, inner), some.lists(inner).map(tuple)
    ),
    max_leaves=30,
)


def plain(value: Value) -> object:
    """What was read, with the calls that make bytes before protocol 3 carried out."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Call) and str(value.function) == "_codecs.encode":
        return str(value.args[0]).encode("latin-1")
    if isinstance(value, Call) and isinstance(value.function, Global):
        assert value.function.name == "bytes"
        return b""
    return value


@given(VALUES, some.integers(0, 5))
def test_plain_values_are_read_as_they_were_written(value: object, protocol: int):
    found = pickles.read(pickle.dumps(value, protocol))

    assert not found.findings
    assert plain(found.value) == value
    assert allowed.judge(found) == Verdict.DATA


@given(VALUES, some.integers(2, 5))
def test_a_cut_pickle_is_always_told(value: object, protocol: int):
    data = pickle.dumps(value, protocol)
    for end in random.Random(0).sample(range(len(data)), min(20, len(data))):
        assert pickles.read(data[:end]).findings


@given(some.binary(max_size=2_000), some.integers(0, 5))
def test_any_bytes_are_read_without_an_error(data: bytes, protocol: int):
    pickles.read(data)
    pickles.read(b"\x80" + bytes((protocol,)) + data + b".")


@given(
    some.lists(
        some.sampled_from(
            b"(.012FIJKLMNPQRSTUVXabcd}eghijlopqrst)u]G\x80\x81\x85\x86\x87\x88\x8c\x8f\x90\x91\x92\x93\x94\x95\n'012"
        ),
        max_size=200,
    )
)
def test_any_operations_are_read_without_an_error(codes: list[int]):
    found = pickles.read(bytes(codes))

    allowed.judge(found)
    assert found.findings or found.end <= len(codes)


FRAGMENTS = [
    b"cos\nsystem\n", b"ctorch\nSize\n", b"Vos\n", b"S'sys'\n", b"\x8c\x02os", b"U\x02os",
    b"X\2\0\0\0os", b"ios\nexit\n", b"\x93", b"q\x00", b"h\x00", b"r\0\0\0\0", b"j\0\0\0\0",
    b"p0\n", b"g0\n", b"\x94", b"(", b"(", b"t", b"l", b"d", b")", b"]", b"}", b"\x8f", b"\x85",
    b"\x86", b"\x87", b"R", b"R", b"\x81", b"\x92", b"o", b"b", b"a", b"e", b"s", b"u", b"\x90",
    b"\x91", b"0", b"1", b"2", b"N", b"K\x01", b"J\0\0\0\1", b"M\1\0", b"I01\n", b"I0x10\n",
    b"L1L\n", b"F1\n", b"G" + bytes(8), b"\x88", b"\x8a\x01\x07", b"C\x01x", b"B\1\0\0\0x",
    b"\x80\x04", b"Q", b"P1\n", b"\x95" + bytes(8), b"\x82\x01", b"\x97", b"\x98",
]  # fmt: skip  # operations, to be read as a row


class Thing:
    """What every name stands for: it takes any arguments and keeps none."""

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls)


class Recorder(pickle._Unpickler):  # the one written in Python: no bomb goes off in it
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), fix_imports=False, encoding="utf-8")
        self.asked: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.asked.add(f"{module}.{name}")
        return Thing

    def persistent_load(self, pid: Any) -> Any:
        return None


@settings(max_examples=400)
@given(some.lists(some.sampled_from(FRAGMENTS), max_size=40))
def test_every_name_that_python_would_import_is_seen(fragments: list[bytes]):
    data = b"".join(fragments) + b"."
    recorder = Recorder(data)
    with contextlib.suppress(Exception):
        recorder.load()

    assert recorder.asked <= set(allowed.imports(pickles.read(data)))


def test_every_operation_of_python_is_known():
    unknown = TABLE[0]

    for operation in pickletools.opcodes:
        assert TABLE[ord(operation.code)] is not unknown, operation.name


@pytest.mark.parametrize("protocol", range(6))
def test_usual_containers_of_training_scripts_are_data(protocol: int):
    value = {
        "namespace": Namespace(lr=0.1),
        "ordered": OrderedDict(a=1),
        "default": defaultdict(list, {"a": [1]}),
        "counted": Counter("aab"),
        "path": PurePosixPath("runs/1"),
        "set": {1, 2},
        "frozen": frozenset((3,)),
        "complex": 1j,
        "array": bytearray(b"abc"),
    }

    found = pickles.read(pickle.dumps(value, protocol))

    assert not found.findings
    assert allowed.judge(found) == Verdict.DATA
    items = mapping(found.value)
    assert items is not None
    assert mapping(items["ordered"]) == {"a": 1}
    assert mapping(items["default"]) == {"a": [1]}
    assert mapping(items["counted"]) == {"a": 2, "b": 1}


class Unlisted:
    def __init__(self) -> None:
        self.weight = 3


@pytest.mark.parametrize("protocol", range(6))
def test_a_class_of_ones_own_runs_code_and_shows_its_state(protocol: int):
    found = pickles.read(pickle.dumps(Unlisted(), protocol))

    assert allowed.judge(found) == Verdict.CODE
    assert f"{__name__}.Unlisted" in allowed.imports(found)
    assert allowed.unlisted(allowed.imports(found)) == [f"{__name__}.Unlisted"]
    assert isinstance(found.value, Call)
    assert found.value.state == {"weight": 3}


def test_persistent_references_are_kept_as_they_are():
    assert isinstance(pickles.read(b"P123\n.").value, Persistent)
    found = pickles.read(b"\x80\x02(K\x01K\x02tQ.").value
    assert isinstance(found, Persistent)
    assert found.id == (1, 2)


def test_a_stream_ends_at_its_stop_and_the_next_begins_there():
    both = pickle.dumps("first", 2) + pickle.dumps("second", 2)

    first = pickles.read(both)
    second = pickles.read(both, first.end)

    assert (first.value, second.value, second.end) == ("first", "second", len(both))


def test_long_bytes_are_not_kept_but_located():
    data = pickle.dumps({"image": b"\7" * 3_000_000}, 4)

    found = mapping(pickles.read(data).value)

    assert found is not None
    image = found["image"]
    assert isinstance(image, Long)
    assert data[image.start : image.end] == b"\7" * 3_000_000


def test_shared_values_stay_shared():
    shared: list[int] = [1]

    found = pickles.read(pickle.dumps([shared, shared], 2)).value

    assert isinstance(found, list)
    assert found[0] is found[1]


def test_keys_that_are_dangerous_to_hash_are_kept_unhashed():
    found = pickles.read(b"\x80\x02}(]K\x01\x8a\x09" + b"\xff" * 8 + b"\x7f" + b"K\x02u.").value

    assert isinstance(found, dict)
    assert sorted(map(str, found.values())) == ["1", "2"]
    assert all(isinstance(key, Key) for key in found)


def test_more_operations_than_any_checkpoint_are_not_followed():
    found = pickles.read(b"N0" * (pickles.OPERATIONS // 2 + 1) + b"N.")

    assert "more than 5000000 operations" in found.findings[0]
