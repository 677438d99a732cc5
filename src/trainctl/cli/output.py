"""How commands print: one JSON envelope, plain tables, rich ones on a terminal, safe text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, cast

from trainctl.errors import TrainctlError
from trainctl.telemetry.escapes import neutralise

SCHEMA = "trainctl/1"


def print_json(kind: str, data: Any) -> None:
    """The one envelope: {"schema": "trainctl/1", "kind": "run.list", "data": ...}."""
    line(_as_json({"schema": SCHEMA, "kind": kind, "data": data}, indent=2))


def print_json_error(error: TrainctlError, code: int) -> None:
    told = {"kind": error.kind, "message": error.message, "hint": error.hint, "exit_code": code}
    line(_as_json({"schema": SCHEMA, "kind": "error", "error": told}, indent=2))


def print_error(error: TrainctlError) -> None:
    note(f"trainctl: {neutralise(error.message, multiline=True)}")
    if error.hint:
        note(f"  try: {neutralise(error.hint, multiline=True)}")


def line(text: str) -> None:
    """One line of what was asked for."""
    data = text.encode("utf-8", "surrogateescape") + b"\n"
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """One line about what happens, beside the data; a closed terminal is no reason to fail."""
    try:
        os.write(2, text.encode("utf-8", "replace") + b"\n")
    except OSError:
        pass


def told(sentence: str) -> None:
    """A notice of ours; what of it came from files is data."""
    note(f"trainctl: {neutralise(sentence)}")


def is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def has_colour() -> bool:
    return is_terminal() and not os.environ.get("NO_COLOR")


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, styles: Sequence[str] = ()
) -> None:
    """A table; drawn by rich on a terminal only, since importing it takes longer than the rest.

    styles: of the columns, `right` for numbers, or empty.
    """
    safe = [[neutralise(cell) for cell in row] for row in rows]
    if is_terminal():
        _rich_table(heads, safe, styles)
        return
    widths = [max([len(head), *(len(row[i]) for row in safe)]) for i, head in enumerate(heads)]
    for row in [list(heads), *safe]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(cells).rstrip())


_GAP = 2  # between columns
_LEAST = 12  # what of the last column is shown however narrow the window is
_STATE_STYLES = {
    "running": "green",
    "starting": "green",
    "saving": "green",
    "queued": "cyan",
    "interrupted": "yellow",
    "succeeded": "dim",
    "stopped": "dim",
}


def _rich_table(heads: Sequence[str], rows: list[list[str]], styles: Sequence[str]) -> None:
    """Every column whole but the last, which takes what room the window leaves.

    Where it leaves none, the columns before the last are left out, the first two never.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    window = Console().width
    columns = list(zip(styles or [""] * len(heads), heads, *rows, strict=True))
    widths = [max(map(cell_len, cells)) for _, *cells in columns]
    while len(columns) > 3 and sum(widths[:-1]) + _GAP * len(widths[:-1]) + _LEAST > window:
        del columns[-2], widths[-2]
    taken = sum(widths[:-1]) + _GAP * len(widths[:-1])
    widths[-1] = min(widths[-1], max(_LEAST, window - taken))
    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for (justify, head, *_), width in zip(columns, widths, strict=True):
        right = justify == "right"
        drawn.add_column(head, justify="right" if right else "left", no_wrap=True, width=width)
    for row in zip(*(cells for _, _, *cells in columns), strict=True):
        drawn.add_row(
            *(Text(cell, style=_STATE_STYLES.get(cell, _style_of(cell))) for cell in row)
        )
    Console(highlight=False, width=max(window, taken + widths[-1])).print(drawn)


def _style_of(cell: str) -> str:
    bad = ("failed", "crash_loop", "out_of_memory", "disk_full", "setup_failed", "unknown_exit")
    return "red" if cell in bad else ""


def age(seconds: float) -> str:
    """`3 s`, `12 min`, `5 h`, `2 d`: one unit, as a person would say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def duration(seconds: float) -> str:
    """`4.2 s`, `3:05`, `1:02:03`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def spoken(seconds: float) -> str:
    """`30 s`, `2 min`, `1.5 h`: how long something may take."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def counted(count: int, what: str) -> str:
    """`1 checkpoint`, `3 checkpoints`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def size(count: float) -> str:
    """`512 B`, `3.1 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def home_short(path: str) -> str:
    """A path with `~` for the home folder."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path


def json_line(kind: str, data: Any) -> None:
    """One envelope on one line, for streams."""
    line(_as_json({"schema": SCHEMA, "kind": kind, "data": data}))


def _as_json(value: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: a metric that is no finite number becomes null."""
    import json

    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {name: _finite(one) for name, one in pairs}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in cast("list[Any]", value)]
    if isinstance(value, float) and value - value != 0:  # NaN and infinities
        return None
    return value
