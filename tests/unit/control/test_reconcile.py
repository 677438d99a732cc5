"""What control does about runs on a platform that does not go on by itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from tests.fakes import jobs
from tests.fakes.clock import HandClock
from tests.fakes.memory import Faults, Life, MemoryPlatform
from tests.fakes.world import Lines, World, folder, killed
from trainctl.control import stop
from trainctl.control.decide import Action
from trainctl.errors import ProviderError
from trainctl.kit import events
from trainctl.platforms.protocol import Attempt, Handle
from trainctl.records.state import Reason, State

MINUTE = 60.0


@pytest.fixture
def home() -> Iterator[str]:
    with folder() as path:
        yield path


@pytest.fixture
def make(home: str) -> Callable[..., World]:
    def make(*lives: Life, faults: Faults | None = None) -> World:
        def life_of(attempt: Attempt) -> Life:
            return lives[min(attempt.number, len(lives)) - 1]

        clock = HandClock()
        return World.at(home, clock, MemoryPlatform(clock, life_of, faults, guards=False))

    return make


class Weather(Faults):
    """Faults that a test switches on and off."""

    silent = deaf = forgetful = False

    def loses_reply(self) -> bool:
        return self.forgetful

    def refuses(self) -> bool:
        return self.deaf

    def hides(self, handle: Handle) -> bool:
        return self.silent


def pass_time(world: World, seconds: float, step: float = 10.0) -> None:
    """Look every few seconds, as a screen would."""
    for _ in range(int(seconds / step)):
        world.clock.advance(step)
        world.look("run")


def told(world: World, event: str) -> list[dict[str, object]]:
    return [seen for seen in world.read("run").events if seen["event"] == event]


def test_a_run_ends_as_its_host_said(make: Callable[..., World]) -> None:
    world = make(Life(queued=20, runs=100))
    world.start("run")
    assert world.read("run").state is State.STARTING
    pass_time(world, 30)
    assert world.read("run").state is State.RUNNING
    pass_time(world, 120)
    found = world.read("run")
    assert (found.state, found.reason) == (State.ENDED, Reason.SUCCEEDED)
    (attempt,) = found.attempts
    assert attempt.started is not None
    assert attempt.ended is not None
    assert attempt.ended - attempt.started == pytest.approx(100)


def test_what_was_asked_to_be_retried_is_after_a_pause(make: Callable[..., World]) -> None:
    world = make(Life(runs=100, reason="preempted"), Life(runs=100))
    run = world.start("run", retries=1)
    world.clock.advance(101)
    assert world.look("run")[0].record.state is State.INTERRUPTED
    assert world.read("run").living
    assert run.attempts() == []  # its folder is on the host
    pass_time(world, 10)
    found = world.read("run")
    assert [attempt.automatic for attempt in found.attempts] == [False, True]
    pass_time(world, 120)
    assert world.read("run").reason is Reason.SUCCEEDED


def test_a_retry_that_came_and_went_unseen_counts_as_one(make: Callable[..., World]) -> None:
    world = make(Life(runs=100, reason="preempted"))
    world.start("run", retries=3)
    weather = Weather()
    world.platform.faults = weather
    for _ in range(9):
        weather.forgetful = True  # each submit has its effect, and nobody hears of it
        world.clock.advance(MINUTE)
        world.look("run")
        weather.forgetful = False
        world.clock.advance(2 * MINUTE)
        world.look("run")
    assert sorted(world.platform.machines["run"]) == [1, 2, 3, 4]
    assert world.read("run").attempts[-1].why_next == "all 3 retries are used"


def test_what_nobody_asked_to_retry_waits_for_a_person(make: Callable[..., World]) -> None:
    world = make(Life(runs=100, reason="preempted"), Life(runs=100))
    world.start("run")
    pass_time(world, 200)
    assert world.read("run").state is State.INTERRUPTED
    assert not world.read("run").living
    world.resume("run")
    pass_time(world, 200)
    found = world.read("run")
    assert (len(found.attempts), found.reason) == (2, Reason.SUCCEEDED)


def test_secrets_stay_for_a_retry_and_go_with_the_end(
    make: Callable[..., World], home: str
) -> None:
    world = make(Life(runs=100, reason="failed"))
    run = world.start("run", retries=1)
    world.clock.advance(101)
    world.look("run")
    assert os.path.exists(run.secrets)
    pass_time(world, 300)
    assert not world.read("run").living
    assert not os.path.exists(run.secrets)


def test_silence_alone_never_starts_a_second_trainer(make: Callable[..., World]) -> None:
    weather = Weather()
    world = make(Life(runs=1e9), faults=weather)
    world.start("run", retries=5)
    pass_time(world, MINUTE)
    weather.silent = True
    pass_time(world, 60 * MINUTE, step=MINUTE)
    assert sorted(world.platform.machines["run"]) == [1]
    (looked,) = world.look("run")
    assert looked.decision is not None
    assert looked.decision.action is Action.WARN
    weather.silent = False
    assert world.look("run")[0].record.state is State.RUNNING


def test_an_unreachable_platform_is_written_down_once_not_at_every_look(
    make: Callable[..., World],
) -> None:
    weather = Weather()
    world = make(Life(runs=1e9), faults=weather)
    world.start("run")
    pass_time(world, MINUTE)
    weather.silent = True
    pass_time(world, MINUTE)
    written = len(world.read("run").events)
    pass_time(world, 10 * MINUTE)
    assert len(world.read("run").events) == written


def test_a_machine_that_is_gone_is_lost_only_after_two_looks_and_some_time(
    make: Callable[..., World],
) -> None:
    world = make(Life(runs=100, lost=True), Life(runs=100))
    world.start("run", retries=1)
    pass_time(world, 90)
    world.clock.advance(15)
    world.look("run")
    world.look("run")
    assert world.read("run").state is State.RUNNING
    world.clock.advance(31)
    assert world.look("run")[0].record.attempts[0].reason is Reason.HOST_LOST
    pass_time(world, 200)
    assert world.read("run").reason is Reason.SUCCEEDED
    assert world.platform.most_living("run") == 1


def test_a_listing_that_lags_for_ever_still_makes_no_two(make: Callable[..., World]) -> None:
    world = make(Life(runs=1e9, unseen=1e9), Life(runs=100))
    world.start("run", retries=1)
    pass_time(world, 10 * MINUTE)
    assert world.platform.most_living("run") == 1
    assert world.read("run").reason is Reason.SUCCEEDED


def test_a_lost_reply_is_found_by_looking(make: Callable[..., World]) -> None:
    weather = Weather()
    world = make(Life(runs=100), faults=weather)
    weather.forgetful = True
    with pytest.raises(ProviderError):
        world.start("run")
    weather.forgetful = False
    world.look("run")
    assert world.read("run").state is State.RUNNING
    pass_time(world, 200)
    found = world.read("run")
    assert (len(found.attempts), found.reason) == (1, Reason.SUCCEEDED)


def test_a_start_that_was_refused_by_the_network_is_asked_again_under_its_number(
    make: Callable[..., World],
) -> None:
    weather = Weather()
    world = make(Life(runs=100), faults=weather)
    weather.deaf = True
    with pytest.raises(ProviderError):
        world.start("run")
    pass_time(world, 5 * MINUTE)
    weather.deaf = False
    pass_time(world, 5 * MINUTE)
    assert world.read("run").reason is Reason.SUCCEEDED
    assert sorted(world.platform.machines["run"]) == [1]


def test_a_stop_ends_the_run_and_every_retry(make: Callable[..., World]) -> None:
    world = make(Life(runs=1e9))
    run = world.start("run", retries=5)
    pass_time(world, MINUTE)
    stop.ask(world.here, run)
    pass_time(world, 5 * MINUTE)
    found = world.read("run")
    assert (found.state, found.reason) == (State.ENDED, Reason.STOPPED)
    assert sorted(world.platform.machines["run"]) == [1]


def test_a_stop_between_two_attempts_calls_the_retry_off(make: Callable[..., World]) -> None:
    world = make(Life(runs=100, reason="preempted"), Life(runs=1e9))
    run = world.start("run", retries=5)
    world.clock.advance(101)
    assert world.look("run")[0].record.state is State.INTERRUPTED
    stop.ask(world.here, run)
    pass_time(world, 5 * MINUTE)
    assert not world.read("run").living
    assert sorted(world.platform.machines["run"]) == [1]


def test_a_stop_that_could_not_be_told_is_told_later(make: Callable[..., World]) -> None:
    weather = Weather()
    world = make(Life(runs=1e9), faults=weather)
    run = world.start("run")
    weather.deaf = True
    stop.ask(world.here, run, grace_seconds=7)
    pass_time(world, MINUTE)
    assert world.read("run").living
    weather.deaf = False
    pass_time(world, MINUTE)
    assert world.read("run").reason is Reason.STOPPED
    assert world.platform.machines["run"][1].orders == [7]


def test_a_stop_is_told_once_and_less_grace_again(make: Callable[..., World]) -> None:
    world = make(Life(runs=1e9, polite=False))
    run = world.start("run")
    stop.ask(world.here, run, grace_seconds=600)
    pass_time(world, MINUTE)
    stop.ask(world.here, run, stop.NOW)
    pass_time(world, MINUTE)
    assert world.platform.machines["run"][1].orders == [600, 0]
    assert world.read("run").reason is Reason.STOPPED


def test_a_run_that_was_stopped_can_be_resumed_and_retries_again(
    make: Callable[..., World],
) -> None:
    world = make(Life(runs=1e9), Life(runs=100, reason="preempted"), Life(runs=100))
    run = world.start("run", retries=1)
    stop.ask(world.here, run)
    pass_time(world, MINUTE)
    world.resume("run")
    pass_time(world, 10 * MINUTE)
    found = world.read("run")
    assert (len(found.attempts), found.reason) == (3, Reason.SUCCEEDED)


def test_what_crashes_at_once_again_and_again_is_left_alone(make: Callable[..., World]) -> None:
    world = make(Life(runs=5, reason="failed"))
    world.start("run", retries=50)
    pass_time(world, 60 * MINUTE)
    found = world.read("run")
    assert (found.reason, len(found.attempts)) == (Reason.CRASH_LOOP, 3)


def test_many_runs_are_asked_about_in_one_question(make: Callable[..., World]) -> None:
    world = make(Life(runs=100))
    for name in ("one", "two", "three"):
        world.start(name)
    questions: list[int] = []
    ask = world.platform.observe
    world.platform.observe = lambda handles: (questions.append(len(handles)), ask(handles))[1]
    world.look("one", "two", "three")
    assert questions == [3]


def test_what_has_ended_is_asked_nothing(make: Callable[..., World]) -> None:
    world = make(Life(runs=100))
    world.start("run")
    pass_time(world, 200)
    world.platform.observe = lambda handles: pytest.fail("it was asked")
    (looked,) = world.look("run")
    assert looked.decision is None


def test_a_run_on_an_unknown_platform_is_said_to_be_out_of_reach(
    make: Callable[..., World],
) -> None:
    world = make(Life())
    world.start("run")
    blind = world._replace(here=world.here._replace(platforms={}))
    (looked,) = blind.look("run")
    assert looked.warning == "nothing here can reach memory"


def story(world: World) -> None:
    """A machine is lost, its successor is preempted, the third is stopped by a person."""
    run = world.run("run")
    while world.read("run").living:
        world.clock.advance(35)
        found = world.look("run")[0].record
        if len(found.attempts) == 3 and found.asked.stop is None and found.living:
            stop.ask(world.here, run)


def storied(path: str) -> World:
    lives = Life(runs=30, lost=True), Life(runs=30, reason="preempted"), Life()
    clock = HandClock()
    platform = MemoryPlatform(clock, lambda at: lives[min(at.number, 3) - 1], guards=False)
    world = World.at(path, clock, platform)
    world.start("run", retries=5)
    return world


def different_lines(path: str) -> list[int]:
    """The lines of the story, counted: each once, and again wherever the world has changed.

    What a command leaves behind is all that the next one finds, so that no other line differs.
    """
    world = storied(path)
    run, machines = world.run("run"), world.platform.machines["run"]
    count, seen, found = itertools.count(), set[object](), list[int]()

    def at(place: str) -> None:
        number = next(count)
        orders = [len(machine.orders) for machine in machines.values()]
        left = (os.path.getsize(run.events), *orders, *sorted(os.listdir(run.path)))
        if {place, left} - seen:
            seen.update((place, left))
            found.append(number)

    with Lines(at):
        story(world)
    return found


def test_a_command_may_be_killed_at_every_line_and_the_next_one_understands(home: str) -> None:
    lines = different_lines(f"{home}/first")
    assert len(lines) > 100
    for line in lines:
        world = storied(f"{home}/{line}")
        with killed(line, home):
            story(world)
        story(world)
        found = world.read("run")
        assert world.platform.most_living("run") == 1, line
        assert world.platform.living("run") == [], line
        assert sorted(world.platform.machines["run"]) == [1, 2, 3], line
        reasons = [attempt.reason for attempt in found.attempts]
        assert reasons == [Reason.HOST_LOST, Reason.PREEMPTED, Reason.STOPPED], line
        assert not os.path.exists(world.run("run").secrets), line


def test_killed_before_it_could_start_a_run_ends_and_says_so(make: Callable[..., World]) -> None:
    world = make(Life())
    jobs.new_run(world.here.home, "run", "memory", ["train"])
    dead = {"pid": 2**22 + 1, "start": "1", "boot": "another"}
    events.append(world.run("run").events, "submitted", {"platform": "memory", "by": dead})
    world.look("run")
    found = world.read("run")
    assert (found.state, found.reason) == (State.ENDED, Reason.SETUP_FAILED)
    assert world.platform.machines["run"] == {}
