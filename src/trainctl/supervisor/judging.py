"""Judge samples: does it still move, and will the disk last? Pure, so that a test can feed it."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

STALL_SECONDS = 1800.0
IDLE_CPU_PERCENT = 2.0
IDLE_GPU_PERCENT = 1.0
DISK_HORIZON_SECONDS = 3600.0
DISK_LOW_BYTES = 1 << 30
_DISK_WINDOW = 120  # samples
_DISK_LEAST = 12

Event = Tuple[str, Dict[str, Any]]


class Judge:
    """Turns samples into the events `stalled`, `recovered` and `disk_will_fill`, each said once.

    stall_seconds: 0 switches the stall off; None takes the default.
    """

    def __init__(self, stall_seconds: Optional[float], disk_warn_bytes: Optional[float]) -> None:
        self._patience = STALL_SECONDS if stall_seconds is None else stall_seconds
        self._low = DISK_LOW_BYTES if disk_warn_bytes is None else disk_warn_bytes
        self._moved: Optional[Tuple[float, float]] = None  # by that clock, and by the sample's
        self._log_bytes = -1
        self._stalled = False
        self._disk: List[Tuple[float, int]] = []
        self._disk_told = False

    def look(self, sample: Mapping[str, Any], now: float) -> List[Event]:
        """now: seconds of a clock that never jumps; the sample's own time is for people."""
        return [*self._stall(sample, now), *self._disk_fills(sample, now)]

    def _stall(self, sample: Mapping[str, Any], now: float) -> List[Event]:
        if self._moved is None or _is_busy(sample) or sample["log_bytes"] != self._log_bytes:
            self._moved, self._log_bytes = (now, float(sample["at"])), sample["log_bytes"]
            if self._stalled:
                self._stalled = False
                return [("recovered", {"evidence": "it writes or computes again"})]
            return []
        quiet = now - self._moved[0]
        if self._stalled or not self._patience or quiet < self._patience:
            return []
        self._stalled = True
        evidence = f"no log byte, no CPU and no GPU work for {quiet:.0f} s"
        return [("stalled", {"evidence": evidence, "last_log_byte": self._moved[1]})]

    def _disk_fills(self, sample: Mapping[str, Any], now: float) -> List[Event]:
        if "disk_free_bytes" not in sample:
            return []
        seen = (now, int(sample["disk_free_bytes"]))
        self._disk = [*self._disk, seen][-_DISK_WINDOW:]
        evidence = self._disk_evidence(seen)
        if evidence is None:
            self._disk_told = False
            return []
        if self._disk_told:
            return []
        self._disk_told = True
        return [("disk_will_fill", {"evidence": evidence, "free_bytes": seen[1]})]

    def _disk_evidence(self, seen: Tuple[float, int]) -> Optional[str]:
        now, free = seen
        if free < self._low:
            return f"only {free / 1e9:.2f} GB are free"
        since, before = self._disk[0]
        if len(self._disk) < _DISK_LEAST or now <= since:
            return None
        per_second = (before - free) / (now - since)
        if per_second <= 0 or free / per_second > DISK_HORIZON_SECONDS:
            return None
        minutes = free / per_second / 60
        return (
            f"at {per_second / 1e6:.1f} MB/s the {free / 1e9:.1f} GB left last {minutes:.0f} min"
        )


def _is_busy(sample: Mapping[str, Any]) -> bool:
    if float(sample.get("cpu_percent") or 0) > IDLE_CPU_PERCENT:
        return True
    cards: List[Mapping[str, Any]] = sample.get("gpus") or []
    return any(float(card.get("utilization_percent") or 0) > IDLE_GPU_PERCENT for card in cards)
