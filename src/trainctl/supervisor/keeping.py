"""What the agent asks of those who keep a run's checkpoints.

Hashing, copying and sending are imported with the first checkpoint that is seen: many runs never
save one, and the agent is small beside them.
"""

from __future__ import annotations

import os
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

    def follow(self, attempt: AttemptFolder) -> None:
        """From now on it is this attempt whose checkpoints are seen."""
        self._attempt = attempt.number
        if self._upkeep is not None:
            self._upkeep.follow(attempt.number)
        elif any(os.path.exists(self._run.attempt(n).checkpoints) for n in self._run.attempts()):
            self._begin()

    def knows(self, found: Found) -> bool:
        """Whether this very content was noted before."""
        return self._upkeep is not None and self._upkeep.ledger.knows(found)

    def look(self, complete: List[Found]) -> None:
        """Note what was seen complete; returns at once, and the rest is done beside."""
        if self._upkeep is not None or complete:
            (self._upkeep or self._begin()).look(complete)

    def finish(self, wanted: Wanted, *, last: bool) -> None:
        """After an attempt's end: wait, in bounded time, until its checkpoints are safe.

        last: no other attempt follows. Where one does, only the newest is waited for.
        """
        if self._upkeep is not None:
            self._upkeep.finish(wanted, last=last)

    def _begin(self) -> Upkeep:
        from trainctl.supervisor.upkeep import Upkeep

        self._upkeep = Upkeep(self._run, self._job)
        self._upkeep.follow(self._attempt)
        return self._upkeep
