"""Parts of a log: its last lines, what came since a moment, lines that match."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, cast

from trainctl.errors import UsageError
from trainctl.telemetry.escapes import COLOURS

BLOCK = 256 * 1024
_LINE_LIMIT = 1024 * 1024  # of a line in system.jsonl


def tail(path: str, lines: int, block: int = BLOCK) -> int:
    """The offset at which the last `lines` lines begin; 0 where there are fewer, or no file.

    A progress bar that was redrawn with carriage returns is one line; so is an unfinished one.
    A newline that a later cursor-up takes back (nested bars) is not counted.
    """
    try:
        with open(path, "rb") as log:
            end = log.seek(0, os.SEEK_END)
            if lines <= 0 or end == 0:
                return end
            log.seek(end - 1)
            ended = log.read(1) == b"\n"
            return _after_newline(log, end - ended, lines, block)
    except FileNotFoundError:
        return 0


def _after_newline(log: BinaryIO, end: int, wanted: int, block: int) -> int:
    """The offset after the wanted-th newline before end, counted backwards; 0 if there is none."""
    while end > 0:
        start = max(0, end - block)
        log.seek(start)
        text = log.read(end - start)
        if b"\x1b[" not in text and (count := text.count(b"\n")) < wanted:
            wanted -= count
        else:
            for found in reversed(list(_LINE_MOVES.finditer(text))):
                wanted -= 1 if found[0] == b"\n" else -_rows_up(found[1])
                if wanted <= 0:
                    return start + found.end()
        end = start
    return 0


_LINE_MOVES = re.compile(rb"\n|\x1b\[(\d{0,4})[AF]")


def _rows_up(parameter: bytes) -> int:
    return max(1, int(parameter or b"1"))


def since(path: str, samples: str, at: float) -> int:
    """The offset of the first line of a log that may have been written at or after a moment.

    samples: the path of the system.jsonl beside it, whose lines carry `at` and `log_bytes`. The
    answer is the line that the last sample before the moment fell into: it may show a few lines
    too many, never one too few. Without samples it is the start. at: epoch seconds.
    """
    try:
        with open(samples, "rb") as file:
            offset = _bytes_before(file, at)
        with open(path, "rb") as log:
            if offset > log.seek(0, os.SEEK_END):
                return 0  # truncated since the sample
            return _after_newline(log, offset, 1, BLOCK)
    except FileNotFoundError:
        return 0


def _bytes_before(file: BinaryIO, at: float) -> int:
    """`log_bytes` of the last sample before a moment, by bisection over the file's bytes."""
    low, high, known = 0, file.seek(0, os.SEEK_END), 0
    while low < high:
        middle = (low + high) // 2
        sample, end = _sample_from(file, middle, high)
        if sample is None or sample[0] >= at:
            high = middle
        else:
            low, known = end, sample[1]
    return known


def _sample_from(file: BinaryIO, offset: int, high: int) -> tuple[tuple[float, int] | None, int]:
    """The first whole sample that begins in [offset, high), and where it ends."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline(_LINE_LIMIT)  # the rest of the line before, or only its newline
    while (begin := file.tell()) < high:
        line = file.readline(_LINE_LIMIT)
        sample = _sample(line)
        if sample is not None or not line:
            return sample, begin + len(line)
    return None, high


def _sample(line: bytes) -> tuple[float, int] | None:
    try:
        parsed: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    sample = cast("dict[str, Any]", parsed)
    at, log_bytes = sample.get("at"), sample.get("log_bytes")
    if not isinstance(at, (int, float)) or not isinstance(log_bytes, int):
        return None
    return float(at), log_bytes


def moment(text: str, now: float, duration: Callable[[str], float]) -> float:
    """Epoch seconds of `10m` (ago), `2026-11-23`, `2026-11-23T10:00` or one with `Z` or `+01:00`.

    A time without a zone is local. duration: reads `10m` as seconds, or raises ValueError.
    Raises UsageError.
    """
    try:
        return now - duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{text[:40]!r} is neither a duration nor a time",
            hint="write 10m, 2h, 1d, or a time such as 2026-11-23T10:00",
        ) from None


def grep(lines: Iterable[str], pattern: str) -> Iterator[str]:
    """The rendered lines in which a regular expression is found; colours do not get in its way.

    Raises UsageError at once, not at the first line.
    """
    search = _compiled(pattern).search
    return (line for line in lines if search(COLOURS.sub("", line) if "\x1b" in line else line))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        place = f" at position {error.pos}" if isinstance(error, re.error) else ""
        what = error.msg if isinstance(error, re.error) else "it is too large"
        raise UsageError(
            f"{pattern!r} is not a regular expression: {what}{place}",
            hint="put a backslash before a character that is meant literally, such as \\( or \\[",
        ) from error
