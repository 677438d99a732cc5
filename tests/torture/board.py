"""The scoreboard: one line a fault, printed as it is known and again at the end."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """injected: faults that struck. lost: runs, acknowledged records, bytes of a log."""

    fault: str
    injected: int
    survived: int
    lost: int
    doubled: int


ROWS: list[Row] = []


class Board:
    def note(self, fault: str, *, injected: int, lost: int, doubled: int) -> None:
        """Write down one fault's outcome, and fail where anything was lost or doubled."""
        row = Row(fault, injected, injected - lost - doubled, lost, doubled)
        ROWS.append(row)
        print(line(row), flush=True)
        assert injected > 0, f"{fault}: no fault was injected"
        assert (row.lost, row.doubled) == (0, 0), line(row)


def line(row: Row) -> str:
    return " | ".join(str(cell) for cell in row)


def table(rows: list[Row]) -> str:
    wide = max(len(row.fault) for row in rows)
    head = f"{'fault':{wide}} | injected | survived | lost | doubled"
    body = [
        f"{r.fault:{wide}} | {r.injected:8} | {r.survived:8} | {r.lost:4} | {r.doubled:7}"
        for r in rows
    ]
    return "\n".join([head, *body])
