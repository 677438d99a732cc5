"""A platform in memory: its machines live by a script and a hand clock, and its network fails.

Nothing runs by itself. What a machine does at a time is a question about its script, so that a
test may look at any moment, forwards only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from threading import Lock
from typing import NamedTuple

from tests.fakes.clock import HandClock
from trainctl.errors import BusyError, NotFoundError, ProviderError
from trainctl.platforms.protocol import Attempt, Files, Handle, Observation, Offer, Phase, Traits
from trainctl.records.job import Job


class Life(NamedTuple):
    """What becomes of one attempt, if nobody stops it. Seconds.

    queued: before its trainer starts. runs: until it ends, for `reason`. lost: its machine is gone
    with it, and tells no reason. unseen: after submit, before any listing shows it.
    polite: it ends at SIGTERM; else it takes all its grace.
    """

    queued: float = 0.0
    runs: float = inf
    reason: str = "succeeded"
    lost: bool = False
    unseen: float = 0.0
    polite: bool = True
    output: bytes = b""


class Faults:
    """What the network does to questions; a kind one does nothing. Subclass to be unkind."""

    def loses_reply(self) -> bool:
        """The call had its effect, and its caller hears of an error."""
        return False

    def refuses(self) -> bool:
        """The call has no effect, and its caller hears of an error."""
        return False

    def hides(self, handle: Handle) -> bool:
        """Nobody answers for this one now."""
        return False


@dataclass
class Machine:
    attempt: Attempt
    life: Life
    submitted: float
    stopped: float = inf  # when its trainer ends by a stop
    orders: list[float] = field(default_factory=list[float])  # the grace of each stop

    @property
    def started(self) -> float:
        return self.submitted + self.life.queued

    @property
    def ended(self) -> float:
        return min(self.started + self.life.runs, self.stopped)

    def trains(self, now: float) -> bool:
        return self.started <= now < self.ended

    def stop(self, now: float, grace: float) -> None:
        if now >= self.ended:
            return
        self.orders.append(grace)
        self.stopped = min(self.stopped, now if self.life.polite else now + grace)

    def look(self, now: float) -> Observation:
        if now < self.submitted + self.life.unseen:
            return Observation(Phase.GONE, now, evidence="the listing does not show it")
        if now < min(self.started, self.ended):
            return Observation(Phase.PENDING, now)
        if now < self.ended:
            return Observation(Phase.ACTIVE, now, started=self.started)
        return self._end(now)

    def _end(self, now: float) -> Observation:
        if self.stopped <= self.started + self.life.runs:
            reason, evidence = "stopped", "asked to stop"
        elif self.life.lost:
            return Observation(Phase.GONE, now, evidence="there is no such machine")
        else:
            reason, evidence = self.life.reason, f"its script says {self.life.reason}"
        times = (min(self.started, self.ended), self.ended)
        return Observation(Phase.ENDED, now, True, reason, evidence, *times)


class MemoryPlatform:
    """Machines by (run, number), for ever: a token that was used starts nothing again.

    guards: refuse a trainer beside another one of its run. Without it, whoever drives the platform
    is the only guard, and `most_living` tells how well it does.
    """

    name = "memory"
    traits = Traits(
        bills_by_time=True,
        queues=True,
        interrupts=True,
        survives_controller=True,
        retries_itself=False,
    )

    def __init__(
        self,
        clock: HandClock,
        life_of: Callable[[Attempt], Life] = lambda _: Life(),
        faults: Faults | None = None,
        *,
        guards: bool = True,
    ) -> None:
        self.faults = faults or Faults()
        self.machines: dict[str, dict[int, Machine]] = defaultdict(dict)
        self._clock = clock
        self._life_of = life_of
        self._guards = guards
        self._lock = Lock()

    def offers(self, job: Job) -> Iterable[Offer]:
        return [Offer(self.name, "a machine in memory", 1.0)]

    def handle(self, run: str, number: int) -> Handle:
        return Handle(self.name, "memory", f"{run}/{number}")

    def submit(self, attempt: Attempt, offer: Offer) -> Handle:
        if self.faults.refuses():
            raise ProviderError("the provider did not take it")
        now = self._clock.now()
        with self._lock:
            machines = self.machines[attempt.run]
            if attempt.number not in machines:
                if self._guards and any(now < other.ended for other in machines.values()):
                    raise BusyError(f"an earlier trainer of {attempt.run} may still live")
                machines[attempt.number] = Machine(attempt, self._life_of(attempt), now)
        if self.faults.loses_reply():
            raise ProviderError("the provider's answer was lost")
        return self.handle(attempt.run, attempt.number)

    def observe(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        now = self._clock.now()
        return {handle: self._observe(handle, now) for handle in handles}

    def _observe(self, handle: Handle, now: float) -> Observation:
        if self.faults.hides(handle):
            return Observation(Phase.UNKNOWN, now, evidence="nobody answers")
        machine = self._machine(handle)
        if machine is None:
            return Observation(Phase.GONE, now, evidence="there never was such a machine")
        return machine.look(now)

    def watch(self, handle: Handle) -> None:
        """Its machines need no agent."""

    def stop(self, handle: Handle, grace: timedelta) -> None:
        if self.faults.refuses():
            raise ProviderError("the provider did not take it")
        machine = self._machine(handle)
        if machine is not None:
            machine.stop(self._clock.now(), grace.total_seconds())
        if self.faults.loses_reply():
            raise ProviderError("the provider's answer was lost")

    def owned(self) -> Iterable[Handle]:
        now = self._clock.now()
        return [
            self.handle(run, number)
            for run, machines in self.machines.items()
            for number, machine in machines.items()
            if now < machine.ended
        ]

    def files(self, handle: Handle) -> Files:
        machine = self._machine(handle)
        if machine is None:
            return MemoryFiles({})
        return MemoryFiles({f"attempt-{machine.attempt.number}/output.log": machine.life.output})

    def living(self, run: str) -> list[int]:
        """The attempts of a run whose trainers run now."""
        now = self._clock.now()
        return [number for number, machine in self.machines[run].items() if machine.trains(now)]

    def most_living(self, run: str) -> int:
        """How many trainers of a run lived at one time, at most."""
        machines = list(self.machines[run].values())
        starts = [machine.started for machine in machines if machine.started < machine.ended]
        return max((sum(other.trains(at) for other in machines) for at in starts), default=0)

    def _machine(self, handle: Handle) -> Machine | None:
        run, _, number = handle.token.rpartition("/")
        return self.machines[run].get(int(number))


class MemoryFiles:
    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents

    def names(self) -> list[str]:
        return sorted(self._contents)

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        if name not in self._contents:
            raise NotFoundError(f"there is no {name}")
        end = None if limit is None else offset + limit
        return self._contents[name][offset:end]
