"""What a terminal would obey, found in text: control characters and escape sequences.

Sources: ECMA-48 (CSI, SGR, string controls), XTerm Control Sequences (OSC, DCS), Unicode UAX #9
(bidirectional controls).
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\u2028\u2029"  # some programs take these for new lines
_SURROGATES = "\ud800-\udfff"  # what undecodable arguments and file names come as
# C0 without tab, newline and what moves the cursor or escapes; DEL, C1, and the above.
_LONE = r"\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f" + _BIDI + _BREAKS + _SURROGATES
_PARAMETERS = r"[0-?]{0,64}"
_INTERMEDIATES = r"[ -/]{0,8}"
_STRING_LIMIT = 8192  # what claims to be longer is shown as text: it must not hide a log
_STRING_BODY = rf"[^\x07\x1b\n]{{0,{_STRING_LIMIT}}}"

# Patterns are compiled at first use, which most commands never have: it takes 2 ms.
_SEQUENCE = (  # it begins with one set, which lets `re` search quickly
    rf"[\x1b{_LONE}](?:(?<!\x1b)[{_LONE}]*|(?<=\x1b)(?:"
    r"(?P<move>\[[0-9]{0,9}[A-GJK]|M)"
    r"|(?P<colour>\[[0-9;:]{0,64}m)"
    rf"|\[{_PARAMETERS}{_INTERMEDIATES}[@-~]"
    rf"|[\]PX^_]{_STRING_BODY}(?:\x07|\x1b\\)"
    rf"|{_INTERMEDIATES}[0-OQ-WYZ`-~\\]"
    r")?)"
)
_UNFINISHED = (
    rf"\x1b(?:\[{_PARAMETERS}{_INTERMEDIATES}|[\]PX^_]{_STRING_BODY}\x1b?|{_INTERMEDIATES})\Z"
)
COLOURS = re.compile(r"(\x1b\[[0-9;:]{0,64}m)")  # grouped, so that split keeps them

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def picture(character: str) -> str:
    """A harmless character that stands for a dangerous one: ESC is shown as ␛."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else REPLACEMENT


_UNSAFE = rf"[\r\x08\x1b{_LONE}]"


def neutralise(text: str, *, multiline: bool = False) -> str:
    """Text that came from elsewhere, made safe to print: a name, a host's banner, an error.

    Every control character becomes visible; it stays one line unless multiline, which keeps
    newlines and tabs.
    """
    if text.isprintable():
        return text
    if not multiline:
        text = text.replace("\n", picture("\n")).replace("\t", picture("\t"))
    return re.sub(_UNSAFE, lambda found: picture(found[0]), text)


def tame(text: str, *, colour: bool) -> str:
    r"""Leave no control but tabs, newlines, \r, \b and whole sequences that `render` obeys.

    Those move the cursor, erase, or, if wanted, colour. Other sequences are dropped; a control
    character that is part of none becomes visible.
    """

    def replace(found: re.Match[str]) -> str:
        if found.lastgroup == "move" or (colour and found.lastgroup == "colour"):
            return found[0]
        if found[0][0] != "\x1b":
            return _pictures(found[0])
        return "" if len(found[0]) > 1 else picture("\x1b")

    return re.sub(_SEQUENCE, replace, text)


def _pictures(text: str) -> str:
    """The same as `picture` of each, quick enough for a hole of a gigabyte of zeros."""
    if len(text) > 1 and text == text[0] * len(text):
        return picture(text[0]) * len(text)
    return "".join(map(picture, text))


def unfinished_from(text: str) -> int:
    """Where something begins whose meaning depends on what comes next; the end if nothing does.

    A carriage return may belong to a newline; an escape sequence may be cut in two.
    """
    end = len(text) - text.endswith("\r")
    last = text.rfind("\x1b")
    if last < 0:
        return end
    before = text.rfind("\x1b", 0, last)  # of a string whose terminator, ESC \, is cut in two
    for start in (before, last):
        if start >= 0 and re.match(_UNFINISHED, text[start:]):
            return start
    return end
