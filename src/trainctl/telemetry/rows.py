"""One row of the small terminal that `render` models: text, a cursor, and what was shown of it."""

from __future__ import annotations

from typing import Self

from trainctl.telemetry.escapes import COLOURS

_WIDTH = 256  # how far a cursor move to the right can reach where nothing is written
_RESETS = ("\x1b[0m", "\x1b[m")


class Row:
    """Text up to LIMIT characters; what goes beyond is counted, not kept."""

    LIMIT = 65_536
    __slots__ = ("_more", "_parts", "_redrawn", "_size", "column", "shown", "width")

    def __init__(self) -> None:
        self._parts: list[str] = []  # each is plain text, or one colour
        self._size = 0  # characters in them
        self._more = 0  # characters beyond the limit
        self._redrawn = False
        self.width = 0  # characters in the plain ones
        self.column: int | None = None  # the cursor; None is the end
        self.shown: str | None = None

    @classmethod
    def of(cls, text: str, *, shown: bool = True) -> Self:
        row = cls()
        row.write(text)
        if shown:
            row.show()
        return row

    @property
    def place(self) -> int:
        return self.width if self.column is None else self.column

    @property
    def is_news(self) -> bool:
        """Whether it says something that was not shown yet."""
        text = self._text()
        return bool(text) and text != self.shown

    @property
    def is_due(self) -> bool:
        """Whether it must be shown when the cursor leaves it for good: blank lines too."""
        return self.is_news or (self.shown is None and not self._redrawn)

    def show(self) -> str:
        self.shown = self._text()
        return self.shown

    def write(self, text: str) -> None:
        """Write text, in which colours may be, at the cursor."""
        if not text:
            return
        if self.column is not None:
            self._cut(self.column)
            self.column = None
        if "\x1b" not in text:
            self._add(text, is_colour=False)
            return
        for number, part in enumerate(COLOURS.split(text)):
            self._add(part, is_colour=number % 2 == 1)

    def _add(self, part: str, *, is_colour: bool) -> None:
        room = self.LIMIT - self._size
        if len(part) > room:
            if is_colour:
                return
            self._more += len(part) - room
            part = part[:room]
        if part:
            self._parts.append(part)
            self._size += len(part)
            self.width += 0 if is_colour else len(part)

    def move(self, final: str, parameters: str) -> None:
        """Obey a control sequence (ECMA-48) that concerns one row; others are dropped."""
        count = max(1, int(parameters or "1"))
        match final:
            case "C":
                self.right(count)
            case "D":
                self.left(count)
            case "G":
                self.column = min(count - 1, self.width)
            case "K":
                self.erase(int(parameters or "0"))
            case _:
                pass

    def left(self, count: int) -> None:
        self.column = max(0, self.place - count)

    def right(self, count: int) -> None:
        target = min(self.place + count, max(self.width, _WIDTH))
        missing = target - self.width
        self.column = target if missing < 0 else None
        if missing > 0:
            self.write(" " * missing)

    def erase(self, what: int) -> None:
        """Erase from the cursor on (0) or everything (2); the rest of the modes are dropped."""
        if what == 0:
            self._cut(self.place)
        elif what == 2:
            self._cut(0)
        self.column = None if self.place >= self.width else self.column

    def _cut(self, column: int) -> None:
        if column >= self.width and not self._more:
            return
        self._redrawn = True
        self._more = 0
        while self._parts and (self.width > column or self._parts[-1][0] == "\x1b"):
            last = self._parts.pop()
            self._size -= len(last)
            if last[0] == "\x1b":
                continue
            self.width -= len(last)
            self._add(last[: max(0, column - self.width)], is_colour=False)

    def _text(self) -> str:
        text = "".join(self._parts)
        if self._redrawn:
            text = text.rstrip()
        if self._more:
            text += f" [and {self._more} more characters]"
        colours = COLOURS.findall(text) if "\x1b" in text else ()
        if not colours:
            return text
        if self._redrawn and not COLOURS.sub("", text).strip():
            return ""
        return text if colours[-1] in _RESETS else text + _RESETS[0]


def is_fit(line: str) -> bool:
    """Whether a line can be shown as it is: not too long, and no colour runs over its end."""
    last = line.rfind("\x1b")
    return len(line) <= Row.LIMIT and (last < 0 or line.startswith(_RESETS, last))
