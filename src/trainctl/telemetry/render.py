"""Bytes of a log -> lines that people can read and a terminal may safely print.

A small model of a terminal: the last rows stay editable, because progress bars redraw them.
What it does differently from a terminal, because logs have no width:
- Text written after a carriage return, a backspace or a cursor move to the left replaces all
  that stood from there on, not only as many characters as it is long.
- A row that the cursor went back to is shown again when it has changed, once what was drawn below
  it is complete. A row that was redrawn into nothing is not shown.
- Cursor moves reach at most ROWS back, and 256 columns to the right of nothing. Moves to absolute
  rows, scrolling and full-screen modes are dropped.
The result depends on the bytes alone, not on how they are cut into chunks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from trainctl.clock import Clock
from trainctl.telemetry.escapes import tame, unfinished_from
from trainctl.telemetry.rows import Row, is_fit

ROWS = 24
REDRAW_SECONDS = 1.0

_MOVES = re.compile(  # it begins with one set, which lets `re` search quickly
    r"[\r\x08\x1b](?:(?<=\r)|(?<=\x08)\x08*|(?<=\x1b)(?:\[([0-9]*)([A-GJK])|M))"
)
_PLAIN = r"[^\r\n\x08\x1b]"
# Redraws that are redrawn again: one character of the first says all that matters of them.
_REDRAWS = re.compile(rf"\r({_PLAIN}){_PLAIN}*+\r(?:{_PLAIN}++\r)*(?={_PLAIN})")


class Renderer:
    """Feed it chunks of bytes; take finished lines, without their newlines."""

    def __init__(self, *, colour: bool = False) -> None:
        self._colour = colour
        self._begin()

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # the beginning of an escape sequence that is not complete yet
        self._rows = [Row()]
        self._at = 0  # the cursor's row
        self._top = 0  # the highest row that the cursor was in since rows were last shown
        self._pending_since: float | None = None

    def feed(self, chunk: bytes) -> list[str]:
        text = (self._held + self._decoder.decode(chunk)).replace("\r\n", "\n")
        cut = unfinished_from(text)
        self._held = text[cut:]
        lines: list[str] = []
        self._take(text[:cut], lines)
        if lines:
            self._pending_since = None
        return lines

    def tick(self, now: float) -> list[str]:
        """Lines still being redrawn, in their present state, at most once a second.

        now: seconds that only grow. Call it now and then, also when no bytes came.
        """
        if not any(row.is_news for row in self._rows[self._top :]):
            self._pending_since = None
            return []
        if self._pending_since is None:
            self._pending_since = now
        if now - self._pending_since < REDRAW_SECONDS:
            return []
        self._pending_since = now
        return [row.show() for row in self._rows[self._top :] if row.is_news]

    def finish(self) -> list[str]:
        """What is left when no more bytes come; the renderer can then be fed anew."""
        lines: list[str] = []
        self._take(self._held + self._decoder.decode(b"", final=True), lines)
        lines += [row.show() for row in self._rows[self._top :] if row.is_news]
        self._begin()
        return lines

    def _take(self, text: str, lines: list[str]) -> None:
        text = tame(text, colour=self._colour)
        if "\r" in text:
            text = _REDRAWS.sub(r"\r\1\r", text)
        place = 0
        if "\r" in text or "\b" in text or "\x1b" in text:
            for found in _MOVES.finditer(text):
                if found.start() > place:
                    self._write(text[place : found.start()], lines)
                self._obey(found)
                place = found.end()
        if place < len(text):
            self._write(text[place:], lines)

    def _write(self, text: str, lines: list[str]) -> None:
        """Text with newlines and colours."""
        first, *rest = text.split("\n")
        self._rows[self._at].write(first)
        if not rest:
            return
        while rest and self._at < len(self._rows) - 1:  # inside what was drawn before
            self._move_down(1)
            self._rows[self._at].column = 0
            self._rows[self._at].write(rest.pop(0))
        if rest:
            self._scroll(rest, lines)

    def _scroll(self, rest: list[str], lines: list[str]) -> None:
        """Leave the lowest row for new ones: all above is shown now."""
        lines += [row.show() for row in self._rows[self._top :] if row.is_due]
        whole = [Row.of(line) for line in rest[-ROWS:-1]]
        lines += [line if is_fit(line) else Row.of(line).show() for line in rest[:-1]]
        self._rows = [*self._rows, *whole, Row.of(rest[-1], shown=False)][-ROWS:]
        self._at = self._top = len(self._rows) - 1

    def _obey(self, found: re.Match[str]) -> None:
        sequence = found[0]
        row = self._rows[self._at]
        if sequence == "\r":
            row.column = 0
        elif sequence[0] == "\b":
            row.left(len(sequence))
        elif found[2]:
            self._move(found[2], found[1])
        else:  # ESC M
            self._move_up(1)

    def _move(self, final: str, parameters: str) -> None:
        count = max(1, int(parameters or "1"))
        match final:
            case "A" | "F":
                self._move_up(count)
            case "B" | "E":
                self._move_down(count)
            case "J" if parameters in {"", "0"}:
                self._erase_below()
            case _:
                self._rows[self._at].move(final, parameters)
        if final in "EF":
            self._rows[self._at].column = 0

    def _move_up(self, count: int) -> None:
        self._go(max(0, self._at - count))
        self._top = min(self._top, self._at)

    def _move_down(self, count: int) -> None:
        self._go(min(len(self._rows) - 1, self._at + count))

    def _go(self, to: int) -> None:
        column = self._rows[self._at].place
        self._at = to
        self._rows[to].column = min(column, self._rows[to].width)

    def _erase_below(self) -> None:
        self._rows[self._at].erase(0)
        for row in self._rows[self._at + 1 :]:
            row.erase(2)


def rendered(chunks: Iterable[bytes], renderer: Renderer, clock: Clock) -> Iterator[list[str]]:
    """Batches of lines, each as soon as it is known; an empty batch for an empty chunk."""
    for chunk in chunks:
        yield renderer.feed(chunk) + renderer.tick(clock.monotonic())
    yield renderer.finish()


def rendered_together(
    chunks: Iterable[tuple[str, bytes]], clock: Clock, *, colour: bool = False
) -> Iterator[list[str]]:
    """The same for several logs: each line begins with its log's label, as `[rank1] `."""
    renderers: dict[str, Renderer] = {}
    for label, chunk in chunks:
        renderer = renderers.setdefault(label, Renderer(colour=colour))
        lines = renderer.feed(chunk) + renderer.tick(clock.monotonic())
        yield [f"[{label}] {line}" for line in lines]
    for label, renderer in renderers.items():
        yield [f"[{label}] {line}" for line in renderer.finish()]
