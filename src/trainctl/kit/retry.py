"""Whether a run goes on by itself after an attempt has ended: a pure question."""

from __future__ import annotations

from typing import NamedTuple, Sequence

# Asking again may help. Memory and disk would only fill again, and what was asked for is obeyed.
WORTH_RETRYING = frozenset(
    ("failed", "preempted", "host_lost", "host_fault", "unknown_exit", "save_failed")
)
CRASH_LOOP_ATTEMPTS = 3
CRASH_LOOP_SECONDS = 60.0
LONGEST_DELAY = 60.0


class Ended(NamedTuple):
    """One attempt in the past, as far as the decision needs it."""

    reason: str
    seconds: float
    saved: bool  # it wrote a complete checkpoint
    automatic: bool  # it was started by a retry, not by a person


class Verdict(NamedTuple):
    again: bool
    delay_seconds: float
    why: str
    crash_loop: bool = False


def verdict(history: Sequence[Ended], retries: int) -> Verdict:
    """Whether to start the next attempt. history: all ended attempts, oldest first, not empty."""
    last = history[-1]
    if last.reason not in WORTH_RETRYING:
        return Verdict(False, 0, f"{last.reason} is not retried")
    if retries == 0:
        return Verdict(False, 0, "no retries were asked for")
    used = 0
    for ended in reversed(history):
        if not ended.automatic:
            break
        used += 1
    if used >= retries:
        return Verdict(False, 0, f"all {retries} retries are used")
    if _is_crash_loop(history):
        why = (
            f"{CRASH_LOOP_ATTEMPTS} attempts in a row ended within {CRASH_LOOP_SECONDS:.0f} s "
            "and saved nothing"
        )
        return Verdict(False, 0, why, crash_loop=True)
    delay = min(LONGEST_DELAY, 2.0**used)
    return Verdict(True, delay, f"retry {used + 1} of {retries} in {delay:.0f} s")


def _is_crash_loop(history: Sequence[Ended]) -> bool:
    recent = history[-CRASH_LOOP_ATTEMPTS:]
    return len(recent) == CRASH_LOOP_ATTEMPTS and all(
        ended.reason == "failed" and ended.seconds < CRASH_LOOP_SECONDS and not ended.saved
        for ended in recent
    )
