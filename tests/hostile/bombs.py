"""Pickles that no loader should ever follow: bombs, cycles, lies about sizes, broken streams."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.hostile import pickling
from tests.hostile.case import CODE, DATA, MALFORMED, Case
from tests.hostile.pickling import PROTO, name, number, sizes, state, storage, tensor, text
from tests.hostile.zipping import torch_zip

_DEEP = 100_000


def cases() -> Iterator[Case]:
    for title, pickle in _harmless():
        yield Case(title, torch_zip(pickle), DATA)
    for title, pickle, says in (*_streams(), *_tensors()):
        yield Case(title, torch_zip(pickle), MALFORMED, says)
    yield Case("an empty pickle", torch_zip(b""), MALFORMED, "cut off")
    yield Case("a name of a million letters", torch_zip(_long_name()), MALFORMED, "a name of")
    yield Case("a set of calls", torch_zip(PROTO + b"\x8f(" + 9 * b"cx\ny\n)R" + b"\x90."), CODE)


def _harmless() -> Iterator[tuple[str, bytes]]:
    """They load; what they want is a reader that copies, recurses or allocates."""
    yield "an index of the memo of 268 million", b"\x80\x02K\x01r\xff\xff\xff\x0f."
    yield "an index of the memo as text", b"\x80\x02K\x01p4294967295\n."
    yield "a billion laughs of tuples", PROTO + b"(Vlol\nt" + b"2\x86" * 60 + b"."
    yield "a billion laughs of lists", PROTO + b"](Vlol\ne" + _doubled_lists(60) + b"."
    yield "a billion laughs as a state", state(model=b")" + b"2\x86" * 60)
    yield "tuples nested deeply", PROTO + b")" + b"\x85" * _DEEP + b"."
    yield "lists nested deeply", PROTO + b"]" * _DEEP + b"a" * (_DEEP - 1) + b"."
    yield "dictionaries nested deeply", PROTO + b"}Va\n" * _DEEP + b"N" + b"s" * _DEEP + b"."
    yield "parameters of parameters of parameters", state(w=_parameters(_DEEP))
    yield "a list that holds itself", PROTO + b"]q\x00h\x00a."
    yield "a dictionary that holds itself", PROTO + b"}q\x00Va\nh\x00s."
    yield "a tuple within itself", PROTO + b"]q\x00h\x00\x85q\x01a0h\x01."
    yield "a module that holds itself", PROTO + b"}q\x00(Va\nh\x00Vb\nh\x00u."
    yield "a deep tuple as a key", PROTO + b"})" + b"\x85" * _DEEP + b"Ns."
    yield "a wide tuple as a key", PROTO + b"}(" + b"K\x01" * 5_000 + b"tNs."
    yield "a list as a key", PROTO + b"}]Ns."
    yield "keys of one hash", PROTO + b"}(" + _colliding(4_000) + b"u."
    yield "a shape shared by all", state(**{f"w{i}": tensor() for i in range(50)})
    yield "text of broken unicode", PROTO + b"X\x04\0\0\0\xff\xfe\xed\xa0."
    yield "text of half a surrogate", PROTO + b"V\\ud800\n."
    yield "text of terminal commands", state(**{"\x1b]0;owned\x07": b"N"})


def _streams() -> Iterator[tuple[str, bytes, str]]:
    yield "garbage", bytes(range(200, 256)), "no operation"
    yield "a zip within the zip", torch_zip(PROTO + b"N."), "breaks off"
    yield "protocol 9", b"\x80\x09N.", "protocol 9"
    yield "a value that was never stored", PROTO + b"h\x07.", "never stored"
    yield "a negative index", PROTO + b"Np-1\n.", "impossible place"
    yield "a text longer than the file", PROTO + b"X\xff\xff\xff\x7f.", "cut off"
    yield "a text of 2^64 bytes", PROTO + b"\x8d" + b"\xff" * 8 + b".", "cut off"
    yield "a text of -1 bytes", PROTO + b"T\xff\xff\xff\xff.", "cut off"
    yield "a bytearray of 2^63 bytes", b"\x80\x05\x96" + struct.pack("<Q", 1 << 63), "cut off"
    yield "a number of 60,000 bytes", PROTO + b"\x8b`\xea\0\0" + b"\7" * 60_000 + b".", "number"
    yield "a number of a million digits", PROTO + b"L" + b"9" * 1_000_000 + b"L\n.", "digits"
    yield "a number of letters", PROTO + b"Iabc\n.", "a number is none"
    yield "a text without quotes", PROTO + b"Sabc\n.", "quotes"
    yield "a line without an end", PROTO + b"V" + b"a" * 100, "does not end"
    yield "marks without an end", PROTO + b"(" * 200_000 + b".", "nests"
    yield "a mark that is not there", PROTO + b"t.", "not there"
    yield "a key without a value", PROTO + b"}(NNNu.", "no value"
    yield "items of a text", PROTO + b"Va\nNNs.", "sets items of a str"
    yield "a state of a list", PROTO + b"]}b.", "gives a state to a list"
    yield "a call with a list", PROTO + name("torch", "Size") + b"]R.", "a list for arguments"
    yield "an import of a number", PROTO + b"K\x01K\x02\x93.", "not a name"
    yield "junk after its end", PROTO + b"N." + b"junk", "4 bytes follow"
    yield "no end", PROTO + b"N", "cut off"


def _tensors() -> Iterator[tuple[str, bytes, str]]:
    """Source of the first: CVE-2026-24747, fixed in torch 2.10."""
    yield "items of a tensor", state(w=tensor() + b"K\x00K\x01s"), "sets items"
    yield "a storage of another size", state(w=tensor(stored=storage(99))), "64 bytes, not 396"
    yield "a storage that is not there", state(w=tensor(stored=storage(16, "7"))), "is not there"
    yield "a storage of an unknown kind", state(w=tensor(stored=storage(16, "0", "X"))), "kind"
    yield "a tensor beyond its storage", state(w=tensor(sizes(5, 4))), "80 bytes of a storage"
    yield "an offset beyond the storage", state(w=tensor(offset=b"K\x09")), "of a storage"
    yield "a stride beyond the storage", state(w=tensor(stride=sizes(1 << 40, 1))), "of a storage"
    yield "a negative size", state(w=tensor(sizes(-4, 4))), "no shape"
    yield "a negative stride", state(w=tensor(stride=sizes(-4, 1))), "no shape"
    yield "a shape of texts", state(w=tensor(b"(" + text("a") + text("b") + b"t")), "sense"
    yield "a shape of fractions", state(w=tensor(b"(F1.5\nF2.5\nt")), "no shape"
    yield "a shape within a shape", state(w=tensor(b"(" + sizes(4) + sizes(4) + b"t")), "sense"
    yield "a shape of other length", state(w=tensor(sizes(4, 4, 1))), "sense"
    yield "a shape of huge numbers", state(w=tensor(sizes(*[1 << 900] * 2))), "no shape"
    yield "a thousand dimensions", state(w=tensor(sizes(*[1] * 1000), sizes(*[1] * 1000))), "shape"
    yield "a tensor without a storage", state(w=tensor(stored=b"N")), "no storage"
    yield "a storage by a deep tuple", state(w=tensor(stored=_deep_storage())), "oddly"
    yield "a tensor without arguments", state(w=pickling.REBUILD + b")R"), "sense"


def _doubled_lists(times: int) -> bytes:
    return b"".join(bytes((0x71, i)) + b"](h" + bytes((i, 0x68, i)) + b"e" for i in range(times))


def _parameters(depth: int) -> bytes:
    name_once = name("torch._utils", "_rebuild_parameter") + b"q\x000"
    return name_once + b"h\x00" * depth + b")" + b"\x85R" * depth


def _colliding(count: int) -> bytes:
    """Whole numbers that Python hashes alike."""
    return b"".join(number(i * ((1 << 61) - 1)) + b"N" for i in range(1, count))


def _deep_storage() -> bytes:
    deep = b")" + b"\x85" * _DEEP
    parts = text("storage") + name("torch", "FloatStorage") + deep + text("cpu") + b"K\x10"
    return b"(" + parts + b"tQ"


def _long_name() -> bytes:
    return PROTO + b"c" + b"o" * 1_000_000 + b"\nsystem\n."
