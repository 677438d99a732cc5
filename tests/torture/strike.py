"""strace as the hand that strikes: a signal or an error at the Nth of a program's writes.

strace counts each system call by itself, so that a point is a call and a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.torture.board import Board

CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "link",
    "unlink",
    "ftruncate",
    "mkdir",
)
CALLS += ("rmdir", "linkat", "unlinkat", "mkdirat", "renameat", "renameat2")
AT_ONCE = 6


class Point(NamedTuple):
    call: str
    number: int


class Tried(NamedTuple):
    struck: bool
    bad: str  # what is bad, in words; empty where nothing is


def under(words: Sequence[str], fault: str, point: Point, trace: Path) -> list[str]:
    """The command, struck at this point: `signal=SIGKILL` or `error=ENOSPC`. Not its children."""
    inject = f"inject={point.call}:{fault}:when={point.number}"
    return ["strace", "-q", "-o", str(trace), "-e", f"trace={point.call}", "-e", inject, *words]


def struck(trace: Path) -> bool:
    """Whether the fault was reached; without it, the program makes fewer such calls."""
    text = trace.read_text(errors="replace") if trace.exists() else ""
    return "(INJECTED)" in text or "+++ killed by SIGKILL +++" in text


def strike_everywhere(
    board: Board, what: str, one: Callable[[Point], Tried], stride: int = 1
) -> None:
    """Try every point there is: each call's first, second, third, until it is made no more.

    stride: above 1, only each so-manieth of the calls that SQLite alone makes.
    """
    tried: dict[Point, Tried] = {}
    due = [Point(call, 1) for call in CALLS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while due:
            tried.update(zip(due, pool.map(one, due), strict=True))
            going_on = [point for point in due if tried[point].struck]
            due = [after for point in going_on for after in _following(point, due, stride)]
    bad = {point: outcome.bad for point, outcome in tried.items() if outcome.bad}
    for point, said in bad.items():
        print(f"{what}, {point.call} {point.number}: {said}")
    doubled = sum("twice" in said for said in bad.values())
    injected = sum(outcome.struck for outcome in tried.values())
    board.note(what, injected=injected, lost=len(bad) - doubled, doubled=doubled)


def _following(point: Point, tried: list[Point], stride: int) -> list[Point]:
    """Points after the last one tried of a call, more at a time where a call is made often."""
    last = max(other.number for other in tried if other.call == point.call)
    if point.number != last:
        return []
    step = stride if point.call == "pwrite64" else 1
    return [Point(point.call, last + step * ahead) for ahead in range(1, AT_ONCE + 1)]
