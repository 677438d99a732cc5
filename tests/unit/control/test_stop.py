"""How long a stop is waited for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.clock import HandClock
from tests.fakes.memory import Faults, MemoryPlatform
from tests.fakes.world import World, folder
from trainctl.control import stop
from trainctl.errors import TrainctlError
from trainctl.kit import locks

LONG_SECONDS = 60.0


class Deaf(Faults):
    def refuses(self) -> bool:
        return True


class Watched(MemoryPlatform):
    """Its attempts are closed by agents, as those of this machine are."""

    traits = MemoryPlatform.traits._replace(retries_itself=True)


@pytest.fixture
def world() -> Iterator[World]:
    with folder() as path:
        clock = HandClock()
        yield World.at(path, clock, Watched(clock))


def test_a_stop_at_once_gives_up_where_no_process_is_left_and_nobody_closes_it(world: World):
    run = world.start("r")
    world.platform.faults = Deaf()
    began = world.clock.monotonic()
    stop.ask(world.here, run, stop.NOW)

    with pytest.raises(TrainctlError, match="no process of r is left") as raised:
        stop.wait_at_once(world.here, run)
    assert raised.value.hint == f"why: {run.agent_log}"
    assert world.clock.monotonic() - began < 3 * stop.CLOSING_SECONDS


def test_a_process_that_is_left_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch):
    run = world.start("r")
    world.platform.faults = Deaf()
    stop.ask(world.here, run, stop.NOW)
    left = world.clock.monotonic() + LONG_SECONDS
    with locks.Lock(run.waiter_lock) as waiter:
        assert waiter.take()

        def sleep(seconds: float) -> None:
            world.clock.advance(seconds)
            if world.clock.monotonic() >= left:
                waiter.free()

        monkeypatch.setattr(world.clock, "sleep", sleep)
        with pytest.raises(TrainctlError):
            stop.wait_at_once(world.here, run)

    assert world.clock.monotonic() > left
