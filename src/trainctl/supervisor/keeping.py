"""What the agent asks of those who keep a run's checkpoints.

Hashing, copying and sending are imported with the first checkpoint that is seen, and beside the
agent's own thread: many runs never save one, and whoever asks for a stop must not wait for it.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from trainctl.kit.checkpoints import Found
from trainctl.kit.names import AttemptFolder, RunFolder

if TYPE_CHECKING:
    from trainctl.supervisor.upkeep import Upkeep

Wanted = Callable[[], bool]  # whether anybody still wants us to go on


class Keeper:
    """One for all attempts of a run that an agent follows; what one leaves, the next goes on."""

    def __init__(self, run: RunFolder, job: Dict[str, Any]) -> None:
        self._run = run
        self._job = job
        self._attempt = 0
        self._upkeep: Optional[Upkeep] = None
        self._beginning: Optional[threading.Thread] = None
        self._lock = threading.Lock()
        self._seen: List[Found] = []  # until the upkeep has begun

    def follow(self, attempt: AttemptFolder) -> None:
        """From now on it is this attempt whose checkpoints are seen."""
        self._attempt = attempt.number
        if self._upkeep is not None:
            self._upkeep.follow(attempt.number)
        elif any(os.path.exists(self._run.attempt(n).checkpoints) for n in self._run.attempts()):
            self._begin()

    def knows(self, found: Found) -> bool:
        """Whether this very content was noted before."""
        upkeep = self._upkeep
        return found in self._seen if upkeep is None else upkeep.ledger.knows(found)

    def look(self, complete: List[Found]) -> None:
        """Note what was seen complete; returns at once, and the rest is done beside."""
        with self._lock:
            if self._upkeep is not None:
                self._upkeep.look(complete)
                return
            self._seen += complete
        if self._seen:
            self._begin()

    def finish(self, wanted: Wanted, *, last: bool) -> None:
        """After an attempt's end: wait, in bounded time, until its checkpoints are safe.

        last: no other attempt follows. Where one does, only the newest is waited for.
        """
        if self._beginning is not None:
            self._beginning.join()
        if self._upkeep is not None:
            self._upkeep.finish(wanted, last=last)

    def _begin(self) -> None:
        if self._beginning is None or not self._beginning.is_alive():
            self._beginning = threading.Thread(target=self._build, daemon=True)
            self._beginning.start()

    def _build(self) -> None:
        try:
            from trainctl.supervisor.upkeep import Upkeep

            upkeep = Upkeep(self._run, self._job)
            upkeep.follow(self._attempt)
            with self._lock:
                upkeep.look([found for found in self._seen if not upkeep.ledger.knows(found)])
                self._upkeep = upkeep
        except Exception:  # noqa: BLE001  # the run goes on; tried again at the next look
            traceback.print_exc(file=sys.stderr)
