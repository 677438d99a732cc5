"""Credentials that are fetched when they are first needed, and renewed before they expire."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

from trainctl.kit.stores.protocol import StoreError
from trainctl.kit.stores.signing import Credentials

RENEW_SECONDS = 300.0  # before they expire; as the AWS SDKs do


class Keyring:
    """Threads may share it. fetch: gets fresh credentials, or raises StoreError."""

    def __init__(
        self, fetch: Callable[[], Credentials], now: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._held: Optional[Credentials] = None
        self._lock = threading.Lock()

    def credentials(self) -> Credentials:
        """Some that are still valid. Raises StoreError where there are none."""
        with self._lock:
            held = self._held
            if held is None or self._left(held) < RENEW_SECONDS:
                self._held = held = self._fresh(held)
            return held

    def renew(self, used: Credentials) -> bool:
        """Whether there are others than those that the service has just called expired."""
        with self._lock:
            if self._held == used:
                self._held = self._fetch()
            return self._held != used

    def _fresh(self, held: Optional[Credentials]) -> Credentials:
        try:
            return self._fetch()
        except StoreError:
            if held is None or self._left(held) <= 0:
                raise
            return held  # good for a few minutes more; by then it may work

    def _left(self, held: Credentials) -> float:
        return float("inf") if held.expires is None else held.expires - self._now()
