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


class Detection(NamedTuple):
    """chosen: those that a resume would have taken. torch, safetensors: of how many they loaded,
    how many they refused.
    """

    fault: str
    injected: int
    verify: int
    chosen: int
    torch: str
    safetensors: str


ROWS: list[Row] = []
DETECTIONS: list[Detection] = []


class Board:
    def note(self, fault: str, *, injected: int, lost: int, doubled: int) -> None:
        """Write down one fault's outcome, and fail where anything was lost or doubled."""
        row = Row(fault, injected, injected - lost - doubled, lost, doubled)
        ROWS.append(row)
        print(line(row), flush=True)
        assert injected > 0, f"{fault}: no fault was injected"
        assert (row.lost, row.doubled) == (0, 0), line(row)

    def compare(self, found: Detection) -> None:
        """Write down who sees a damaged checkpoint, and fail where we do not."""
        DETECTIONS.append(found)
        print(line(found), flush=True)
        assert found.injected > 0, f"{found.fault}: no fault was injected"
        assert (found.verify, found.chosen) == (found.injected, 0), line(found)


def line(row: Row | Detection) -> str:
    return " | ".join(str(cell) for cell in row)


def table(rows: list[Row]) -> str:
    wide = max(len(row.fault) for row in rows)
    head = f"{'fault':{wide}} | injected | survived | lost | doubled"
    body = [
        f"{r.fault:{wide}} | {r.injected:8} | {r.survived:8} | {r.lost:4} | {r.doubled:7}"
        for r in rows
    ]
    return "\n".join([head, *body])


def detections(rows: list[Detection]) -> str:
    heads = ("damaged", "injected", "verify sees", "chosen", "torch.load sees", "safetensors sees")
    cells = [heads, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (zip(row, widths, strict=True) for row in cells)
    return "\n".join(" | ".join(f"{cell:{wide}}" for cell, wide in line) for line in lines)
