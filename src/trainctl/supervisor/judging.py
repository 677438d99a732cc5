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
        self._moved_at: Optional[float] = None
        self._log_bytes = -1
        self._stalled = False
        self._disk: List[Tuple[float, int]] = []
        self._disk_told = False

    def look(self, sample: Mapping[str, Any]) -> List[Event]:
        return [*self._stall(sample), *self._disk_fills(sample)]

    def _stall(self, sample: Mapping[str, Any]) -> List[Event]:
        at = float(sample["at"])
        if self._moved_at is None or _is_busy(sample) or sample["log_bytes"] != self._log_bytes:
            self._moved_at, self._log_bytes = at, sample["log_bytes"]
            if self._stalled:
                self._stalled = False
                return [("recovered", {"evidence": "it writes or computes again"})]
            return []
        quiet = at - self._moved_at
        if self._stalled or not self._patience or quiet < self._patience:
            return []
        self._stalled = True
        evidence = f"no log byte, no CPU and no GPU work for {quiet:.0f} s"
        return [("stalled", {"evidence": evidence, "last_log_byte": self._moved_at})]

    def _disk_fills(self, sample: Mapping[str, Any]) -> List[Event]:
        if "disk_free_bytes" not in sample:
            return []
        now = (float(sample["at"]), int(sample["disk_free_bytes"]))
        self._disk = [*self._disk, now][-_DISK_WINDOW:]
        evidence = self._disk_evidence(now)
        if evidence is None:
            self._disk_told = False
            return []
        if self._disk_told:
            return []
        self._disk_told = True
        return [("disk_will_fill", {"evidence": evidence, "free_bytes": now[1]})]

    def _disk_evidence(self, now: Tuple[float, int]) -> Optional[str]:
        if now[1] < self._low:
            return f"only {now[1] / 1e9:.2f} GB are free"
        first = self._disk[0]
        if len(self._disk) < _DISK_LEAST or now[0] <= first[0]:
            return None
        per_second = (first[1] - now[1]) / (now[0] - first[0])
        if per_second <= 0 or now[1] / per_second > DISK_HORIZON_SECONDS:
            return None
        minutes = now[1] / per_second / 60
        return (
            f"at {per_second / 1e6:.1f} MB/s the {now[1] / 1e9:.1f} GB left last {minutes:.0f} min"
        )


def _is_busy(sample: Mapping[str, Any]) -> bool:
    if float(sample.get("cpu_percent") or 0) > IDLE_CPU_PERCENT:
        return True
    cards: List[Mapping[str, Any]] = sample.get("gpus") or []
    return any(float(card.get("utilization_percent") or 0) > IDLE_GPU_PERCENT for card in cards)
