"""One line of the table: what was measured, its floor beside it, and whether the bar is met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """`judged` is what the bar is about; met None: there is no bar, or it was not run."""

    what: str
    measured: str
    floor: str
    judged: str
    bar: str
    met: bool | None
    value: float | None = None


HEADS = ("what", "measured", "floor", "judged", "bar", "met")


def more_cpu(what: str, measured: float, floor: float, at_most: float) -> Row:
    """CPU in milliseconds, judged by how much more it is than its floor."""
    more = measured - floor
    return Row(
        what,
        f"{measured:.1f} ms",
        f"{floor:.1f} ms",
        f"{more:+.1f} ms",
        f"<= +{at_most:g} ms",
        more <= at_most,
        round(more, 2),
    )


def no_bar(what: str, measured: str, value: float) -> Row:
    return Row(what, measured, "", "", "none: for knowledge", None, round(value, 3))


def not_run(what: str, why: str) -> Row:
    return Row(what, f"not run: {why}", "", "", "", None)


def table(rows: Sequence[Row]) -> str:
    """All rows as one plain table."""
    said = {True: "yes", False: "NO", None: "-"}
    cells = [HEADS, *((*row[:5], said[row.met]) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
