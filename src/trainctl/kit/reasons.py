"""Why an attempt ended: one reason out of a short list, with the evidence for it."""

from __future__ import annotations

import signal
from typing import Any, Mapping, NamedTuple, Optional

OUTSIDE = "from outside"
TAIL_BYTES = 64 * 1024

_OUT_OF_MEMORY = (
    b"CUDA out of memory",
    b"OutOfMemoryError",
    b"MemoryError",
    b"Cannot allocate memory",
    b"std::bad_alloc",
    b"RESOURCE_EXHAUSTED: Out of memory",
)
_KILLED = (b"Killed", b"SIGKILL", b"signal: 9", b"signal 9")
_DISK_FULL = (b"No space left on device", b"Disk quota exceeded")


class End(NamedTuple):
    reason: str
    evidence: str


def classify(
    exit_record: Mapping[str, Any],
    tail: bytes,
    stop: Optional[Mapping[str, Any]] = None,
    out_of_memory_kills: int = 0,
) -> End:
    """The reason and its evidence, from exit.json, the log's last bytes and what was asked.

    stop: the stop request that was obeyed, whose `reason` is `stopped` unless it says otherwise;
    it explains an end, also one whose exit status nobody saw.
    out_of_memory_kills: how many processes the kernel's memory limit killed during the attempt.
    """
    unseen = exit_record.get("reason") == "unknown_exit"
    if exit_record.get("reason") and not (unseen and stop is not None):
        return End(str(exit_record["reason"]), str(exit_record.get("evidence", "")))
    how = "nobody saw its exit status" if unseen else describe(exit_record)
    if stop is not None:
        return End(str(stop.get("reason", "stopped")), f"{stop.get('by', 'asked')}; {how}")
    if exit_record.get("code") == 0:
        return End("succeeded", how)
    if out_of_memory_kills and _was_killed(exit_record, tail):
        return End("out_of_memory", f"{how}; the kernel killed it at the memory limit")
    line = _line_with(tail, _DISK_FULL)
    if line:
        return End("disk_full", f"{how}: {line}")
    line = _line_with(tail, _OUT_OF_MEMORY)
    if line:
        return End("out_of_memory", f"{how}: {line}")
    last = _last_line(tail)
    if exit_record.get("signal") == signal.SIGKILL:  # no script ends so by itself
        return End("failed", f"{how} {OUTSIDE}" + (f"; last output: {last}" if last else ""))
    return End("failed", f"{how}: {last}" if last else how)


def _was_killed(exit_record: Mapping[str, Any], tail: bytes) -> bool:
    """Whether it or a worker of its ended by SIGKILL, as the kernel's memory limit has it."""
    outright = exit_record.get("signal") == signal.SIGKILL or exit_record.get("code") == 137
    return outright or bool(_line_with(tail, _KILLED))


def describe(exit_record: Mapping[str, Any]) -> str:
    """`exit code 1`, or `killed by SIGKILL`."""
    number = exit_record.get("signal")
    if number is None:
        return f"exit code {exit_record.get('code')}"
    try:
        return f"killed by {signal.Signals(int(number)).name}"
    except ValueError:
        return f"killed by signal {number}"


def _lines(tail: bytes) -> list[bytes]:
    return [line.rsplit(b"\r", 1)[-1].strip() for line in tail.rstrip().split(b"\n")]


def _line_with(tail: bytes, needles: tuple[bytes, ...]) -> str:
    for line in reversed(_lines(tail)[-80:]):
        if any(needle in line for needle in needles):
            return _shown(line)
    return ""


def _last_line(tail: bytes) -> str:
    return next((_shown(line) for line in reversed(_lines(tail)) if line), "")


def _shown(line: bytes) -> str:
    text = line[:300].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
