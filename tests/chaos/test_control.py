"""Control on a platform in memory, by a hand clock, under seeded faults, kills and races.

Each seed is one story: a run or three, a network that fails in its own way, and people who look,
stop and resume, some of whom are killed at a random line or come in between another's lines.
After every step the promises are checked. `CHAOS_SEEDS=20000` plays more stories, and
`CHAOS_SEED=7` one again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from tests.fakes.clock import HandClock
from tests.fakes.memory import Faults, Life, MemoryPlatform
from tests.fakes.world import World, at_line, folder, killed
from trainctl.control import stop
from trainctl.errors import BusyError, ProviderError, RefusedError
from trainctl.kit import locks
from trainctl.platforms.protocol import Attempt, Handle
from trainctl.records.record import Record
from trainctl.records.state import LIVING

SEEDS = int(os.environ.get("CHAOS_SEEDS", "200"))
BATCHES = 8
STEPS = 40
LINES = 400  # of control's own in one command, more or less
BOUND_SECONDS = 24 * 3600.0
REASONS = ("succeeded", "failed", "preempted", "host_fault", "out_of_memory", "unknown_exit")


class Storm(Faults):
    """Faults by the seed and the moment: asked again at the same moment, the same happens."""

    def __init__(self, seed: int, clock: HandClock) -> None:
        dice = Random(seed)
        self.calm = False
        self._seed = seed
        self._clock = clock
        self._refusing, self._forgetting = dice.choice([0, 0.1, 0.4]), dice.choice([0, 0.1, 0.4])
        self._hiding, self._front = dice.choice([0, 0.1, 0.5]), dice.choice([20.0, 300.0, 2000.0])

    def loses_reply(self) -> bool:
        return self._happens("reply", self._forgetting)

    def refuses(self) -> bool:
        return self._happens("call", self._refusing)

    def hides(self, handle: Handle) -> bool:
        front = self._clock.now() // self._front
        return self._happens(f"{handle.token} {front}", self._hiding)

    def _happens(self, what: str, chance: float) -> bool:
        at = "" if what[0].isdigit() else self._clock.now()
        return not self.calm and Random(f"{self._seed} {what} {at}").random() < chance


def life_of(seed: int) -> Callable[[Attempt], Life]:
    def life(attempt: Attempt) -> Life:
        dice = Random(f"{seed} {attempt.run} {attempt.number}")
        return Life(
            queued=dice.choice([0, 0, 5, 200]),
            runs=dice.choice([1, 20, 300, 3000, 1e9]),
            reason=dice.choice(REASONS),
            lost=dice.random() < 0.3,
            unseen=dice.choice([0, 0, 10, 500]),
            polite=dice.random() < 0.7,
        )

    return life


class Story:
    """One seed: the world, who acts in it, and what must be true after each step."""

    def __init__(self, seed: int, home: str) -> None:
        self.dice = Random(seed)
        self.clock = HandClock()
        self.storm = Storm(seed, self.clock)
        self.platform = MemoryPlatform(self.clock, life_of(seed), self.storm, guards=False)
        self.world = World.at(home, self.clock, self.platform)
        self.retries: dict[str, int] = {}
        self.resumes: dict[str, int] = {}
        self.stopped: dict[str, int] = {}  # how many machines there were when it was acknowledged
        self.seen: dict[str, Record] = {}

    def play(self) -> None:
        for number in range(self.dice.choice([1, 1, 3])):
            self._start(f"run-{number}")
        for _ in range(STEPS):
            self.clock.advance(self.dice.choice([0.1, 2, 15, 40, 70, 400]))
            name = self.dice.choice(sorted(self.retries))
            act = self.dice.choices(
                [self._look, self._stop, self._resume, self._killed, self._between],
                [12, 1, 2, 4, 3],
            )[0]
            act(name)
            self._check()
        self._settle()

    def _start(self, name: str) -> None:
        self.retries[name] = self.dice.choice([0, 1, 3, 8])
        self.resumes[name] = 0
        try:
            self.world.start(name, retries=self.retries[name])
        except ProviderError:
            pass

    def _look(self, name: str) -> None:
        """Also again at once: the second look may still learn what the first one's call did."""
        names = self.dice.choice([[name], sorted(self.retries)])
        self.world.look(*names)
        started = self._started()
        self.world.look(*names)
        assert self._started() == started, "a second look started something"
        written = self._written()
        self.world.look(*names)
        assert self._written() == written, "a third look had something to write"

    def _stop(self, name: str) -> None:
        living = stop.ask(self.world.here, self.world.run(name), self.dice.choice([0.0, 30.0]))
        if living.living:
            self.stopped[name] = len(self.platform.machines[name])

    def _resume(self, name: str) -> None:
        if self.world.read(name).living:
            return
        self.resumes[name] += 1
        self.stopped.pop(name, None)
        try:
            self.world.resume(name)
        except (ProviderError, RefusedError):
            pass

    def _killed(self, name: str) -> None:
        """A command dies in the middle; whether a stop was heard then, nobody can tell."""
        act = self.dice.choice([self._look, self._look, self._stop, self._resume])
        with killed(self.dice.randrange(LINES), self.world.here.home.path):
            act(name)

    def _between(self, name: str) -> None:
        """Another command comes in the middle of a look, as far as locks let it."""
        run = self.world.run(name)
        act = self.dice.choice([self._look_once, self._look_once, self._stop_unheard])

        def come() -> None:
            if not locks.is_taken(run.lock):
                act(name)

        with at_line(self.dice.randrange(LINES), come):
            self._look_once(name)

    def _look_once(self, name: str) -> None:
        self.world.look(name)

    def _stop_unheard(self, name: str) -> None:
        """It may come while a retry is on its way, which is then stopped, not called off."""
        stop.ask(self.world.here, self.world.run(name))

    def _started(self) -> list[int]:
        return [len(self.platform.machines[name]) for name in self.retries]

    def _written(self) -> list[int]:
        return [os.path.getsize(self.world.run(name).events) for name in self.retries]

    def _check(self) -> None:
        for name in self.retries:
            found = self.world.read(name)
            self._check_machines(name, found)
            self._check_record(name, found)
            self.seen[name] = found

    def _check_machines(self, name: str, found: Record) -> None:
        machines = self.platform.machines[name]
        assert self.platform.most_living(name) <= 1, "two trainers of one run"
        asked = {*(attempt.number for attempt in found.attempts), found.wanted}
        assert set(machines) <= asked, "a machine that nobody asked for"
        for before, after in pairwise(sorted(machines)):
            assert machines[before].ended <= machines[after].submitted, (
                "it did not wait for the end"
            )
            assert after - 1 in found.asked.judged, "a successor of what nobody judged"
        if name in self.stopped:
            assert len(machines) == self.stopped[name], "started after a stop was acknowledged"

    def _check_record(self, name: str, found: Record) -> None:
        assert found.corrupt == []
        counted = [attempt.number for attempt in found.attempts]
        assert counted == list(range(1, len(counted) + 1)), "a gap in the record"
        in_a_row = 0
        for attempt in found.attempts:
            in_a_row = in_a_row + 1 if attempt.automatic else 0
            assert in_a_row <= self.retries[name], "more retries than were asked for"
        before = self.seen.get(name)
        if before is not None and not before.living:
            resumed = len(counted) > len(before.attempts) or found.wanted is not None
            assert not found.living or resumed, "it lives again, and nobody resumed it"
            assert found.attempts[: len(before.attempts)] == before.attempts, "history was changed"

    def _settle(self) -> None:
        """Once the faults stop, every run ends, or runs as its machine does, within a bound."""
        self.storm.calm = True
        until = self.clock.now() + BOUND_SECONDS
        while self.clock.now() < until and any(not self._rests(name) for name in self.retries):
            self.clock.advance(120)
            self.world.look(*sorted(self.retries))
            self._check()
        for name in self.retries:
            assert self._rests(name), f"{name} is {self.world.read(name).state} for ever"

    def _rests(self, name: str) -> bool:
        found = self.world.read(name)
        living = self.platform.living(name)
        if found.living:
            endless = [self.platform.machines[name][number].life.runs > 1e8 for number in living]
            heard = found.asked.stop is None
            return found.state == "running" and endless == [True] and heard
        owned = [handle for handle in self.platform.owned() if handle.token.startswith(f"{name}/")]
        assert owned == [], "it has ended, and its machine still bills"
        return found.state not in LIVING


def seeds(batch: int) -> list[int]:
    if "CHAOS_SEED" in os.environ:
        return [int(os.environ["CHAOS_SEED"])] if batch == 0 else []
    return list(range(batch, SEEDS, BATCHES))


@pytest.mark.timeout(60 + SEEDS)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_promises_hold_in_every_story(batch: int) -> None:
    for seed in seeds(batch):
        with folder() as home:
            try:
                Story(seed, home).play()
            except BusyError:
                raise
            except BaseException as error:
                error.add_note(f"the failing story: CHAOS_SEED={seed}")
                raise
