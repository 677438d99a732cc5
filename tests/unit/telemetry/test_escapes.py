"""A corpus of what terminals obey: none of it may reach one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.telemetry.escapes import neutralise
from trainctl.telemetry.render import Renderer

C0 = [chr(code) for code in range(0x20) if chr(code) not in "\n\t"] + ["\x7f"]
C1 = [chr(code) for code in range(0x80, 0xA0)]
SIMPLE = [f"\x1b{chr(code)}" for code in range(0x30, 0x7F) if chr(code) not in "[]PX^_"]
CHARSETS = [f"\x1b{where}{what}" for where in "()*+-./ #%" for what in "0AB8FG"]
CSI = [f"\x1b[{numbers}{chr(final)}" for final in range(0x40, 0x7F) for numbers in ("", "1;2")]
PRIVATE = [f"\x1b[?{mode}{state}" for mode in (1, 25, 47, 1000, 1049, 2004) for state in "hl"]
OSC = [
    f"\x1b]{text}{end}"
    for text in (
        "0;title", "1;icon", "2;title", "4;1;?", "7;file:///etc", "8;;http://a.example", "9;note",
        "10;?", "11;?", "50;font", "52;c;ZXZpbA==", "52;c;?", "104", "110", "133;A", "777;notify",
        "1337;File=inline=1:AAAA",
    )
    for end in ("\x07", "\x1b\\", "")
]  # fmt: skip
STRINGS = [
    f"\x1b{kind}{text}{end}"
    for kind, text in (("P", "$qm"), ("P", "+q544e"), ("X", "s"), ("^", "p"), ("_", "Gf=1"))
    for end in ("\x1b\\", "\x07", "")
]
REPORTS = ["\x1b[c", "\x1b[>c", "\x1b[5n", "\x1b[6n", "\x1b[21t", "\x1b[?15n", "\x05", "\x1bZ"]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
TOO_LONG = ["\x1b[" + "1" * 100 + "m", "\x1b]" + "x" * 10_000, "\x1bP" + "x" * 10_000 + "\x07"]
BROKEN = ["\x1b", "\x1b[", "\x1b[1", "\x1b\x1b[31m", *TOO_LONG]
CORPUS = [*C0, *C1, *SIMPLE, *CHARSETS, *CSI, *PRIVATE, *OSC, *STRINGS, *REPORTS, *BIDI, *BROKEN]

DANGEROUS = set(C0) | set(C1) | set(BIDI)


def test_the_corpus_is_large():
    assert len(set(CORPUS)) >= 200


@pytest.mark.parametrize("sequence", CORPUS, ids=ascii)
def test_no_sequence_reaches_the_terminal(sequence: str):
    renderer = Renderer()
    log = f"before {sequence} after\nnext\n".encode()
    lines = renderer.feed(log) + renderer.finish()
    assert not DANGEROUS & set("".join(lines))
    assert lines[-1] == "next"
    assert lines[-2].endswith("fter")  # a sequence cut off may take one character with it


@pytest.mark.parametrize("sequence", CORPUS, ids=ascii)
def test_no_sequence_stays_in_a_name(sequence: str):
    safe = neutralise(f"before {sequence}\n after")
    assert not (DANGEROUS | {"\n", "\t"}) & set(safe)
    assert safe.startswith("before ")
    assert safe.endswith(" after")


def test_what_is_harmless_stays_as_it_is():
    assert neutralise("größer 学習 🙂 a b") == "größer 学習 🙂 a b"


def test_a_text_of_several_lines_may_keep_them():
    assert neutralise("one\n\ttwo\r\x1b[31m", multiline=True) == "one\n\ttwo␍␛[31m"


def test_undecodable_arguments_can_be_printed():
    assert neutralise(b"caf\xe9".decode(errors="surrogateescape")).encode() == "caf\ufffd".encode()


@given(st.text(st.characters()))
def test_any_name_becomes_one_safe_line(text: str):
    safe = neutralise(text)
    assert not (DANGEROUS | {"\n", "\t"}) & set(safe)
    assert len(safe) == len(text)
    assert neutralise(safe) == safe
    safe.encode()
