"""What control relies on, held against every platform: real processes and memory alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conformance.platforms import KITS, Kit, Work, phase, start
from trainctl.errors import BusyError, NotFoundError
from trainctl.platforms.protocol import Handle, Phase

GRACE = timedelta(seconds=10)
LONG = timedelta(seconds=60)


@pytest.fixture(params=sorted(KITS))
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    kit = KITS[request.param](tmp_path)
    yield kit
    kit.close()


def active(kit: Kit, handle: Handle) -> bool:
    return kit.comes_true(lambda: phase(kit, handle) is Phase.ACTIVE)


def ended(kit: Kit, handle: Handle) -> bool:
    return kit.comes_true(lambda: phase(kit, handle) is Phase.ENDED)


def test_an_attempt_goes_from_pending_or_active_to_ended_and_says_why(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.SUCCEEDS))
    seen: list[Phase] = []

    def is_over() -> bool:
        seen.append(phase(kit, handle))
        return seen[-1] is Phase.ENDED

    assert kit.comes_true(is_over)
    assert set(seen) <= {Phase.PENDING, Phase.ACTIVE, Phase.ENDED}
    assert seen == sorted(seen, key=[Phase.PENDING, Phase.ACTIVE, Phase.ENDED].index)
    assert kit.platform.observe([handle])[handle].reason == "succeeded"


def test_a_failure_is_told_apart_from_a_success_with_evidence(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.FAILS))
    assert ended(kit, handle)
    seen = kit.platform.observe([handle])[handle]
    assert seen.reason == "failed"
    assert seen.evidence


def test_an_end_is_still_told_when_asked_again(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.SUCCEEDS))
    assert ended(kit, handle)
    first, second = (kit.platform.observe([handle])[handle] for _ in range(2))
    assert first._replace(at=0) == second._replace(at=0)


def test_submitting_twice_starts_one_trainer_and_gives_one_handle(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    first, second = start(kit, attempt), start(kit, attempt)
    assert first == second
    assert active(kit, first)
    assert kit.trainers(attempt.run) == 1


def test_submitting_from_two_threads_starts_one_trainer(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    with ThreadPoolExecutor(2) as threads:
        handles = set(threads.map(lambda _: start(kit, attempt), range(2)))
    (handle,) = handles
    assert active(kit, handle)
    assert kit.trainers(attempt.run) == 1


def test_submitting_what_has_ended_starts_nothing(kit: Kit) -> None:
    attempt = kit.attempt(Work.SUCCEEDS)
    handle = start(kit, attempt)
    assert ended(kit, handle)
    assert start(kit, attempt) == handle
    assert phase(kit, handle) is Phase.ENDED
    assert kit.trainers(attempt.run) == 0


def test_a_second_attempt_is_refused_while_the_first_may_live(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    assert active(kit, start(kit, attempt))
    with pytest.raises(BusyError):
        start(kit, attempt._replace(number=2))
    assert kit.trainers(attempt.run) == 1


def test_what_never_was_is_gone_not_unknown(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    never = kit.platform.handle(attempt.run, 1)
    nobody = kit.platform.handle("nobody", 7)
    seen = kit.platform.observe([never, nobody])
    assert [seen[never].phase, seen[nobody].phase] == [Phase.GONE, Phase.GONE]


def test_one_question_answers_for_many(kit: Kit) -> None:
    living = start(kit, kit.attempt(Work.ENDLESS))
    over = start(kit, kit.attempt(Work.SUCCEEDS))
    assert ended(kit, over)
    assert active(kit, living)
    never = kit.platform.handle("nobody", 1)
    seen = kit.platform.observe([living, over, never])
    told = {handle: seen[handle].phase for handle in (living, over, never)}
    assert told == {living: Phase.ACTIVE, over: Phase.ENDED, never: Phase.GONE}
    assert kit.platform.observe([]) == {}


def test_the_name_of_an_attempt_is_known_before_it_starts(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    assert kit.platform.handle(attempt.run, attempt.number) == start(kit, attempt)


def test_a_handle_is_three_strings_that_survive_json_and_name_run_and_attempt(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    handle = start(kit, attempt)
    again = Handle(*json.loads(json.dumps(handle)))
    assert again == handle
    assert {type(part) for part in handle} == {str}
    assert handle.platform == kit.platform.name
    assert handle.token == f"{attempt.run}/{attempt.number}"
    assert active(kit, again)


def test_a_polite_trainer_ends_at_the_first_word(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    handle = start(kit, attempt)
    assert active(kit, handle)
    kit.platform.stop(handle, LONG)
    assert ended(kit, handle)
    assert kit.platform.observe([handle])[handle].reason == "stopped"
    assert kit.trainers(attempt.run) == 0


def test_a_stubborn_trainer_is_ended_by_force_after_its_grace(kit: Kit) -> None:
    attempt = kit.attempt(Work.STUBBORN)
    handle = start(kit, attempt)
    assert active(kit, handle)
    assert kit.comes_true(lambda: says(kit, handle, b"deaf\n"))
    kit.platform.stop(handle, timedelta(seconds=1))
    assert ended(kit, handle)
    assert kit.trainers(attempt.run) == 0


def says(kit: Kit, handle: Handle, text: bytes) -> bool:
    files = kit.platform.files(handle)
    return log_of(handle) in files.names() and files.read(log_of(handle)) == text


def test_less_grace_may_be_asked_for_later(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.STUBBORN))
    assert active(kit, handle)
    assert kit.comes_true(lambda: says(kit, handle, b"deaf\n"))
    kit.platform.stop(handle, LONG)
    kit.platform.stop(handle, timedelta(0))
    assert ended(kit, handle)


def test_stopping_twice_is_stopping_once(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.ENDLESS))
    assert active(kit, handle)
    kit.platform.stop(handle, GRACE)
    kit.platform.stop(handle, GRACE)
    assert ended(kit, handle)
    kit.platform.stop(handle, GRACE)
    assert kit.platform.observe([handle])[handle].reason == "stopped"


def test_stopping_what_has_ended_changes_nothing(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.SUCCEEDS))
    assert ended(kit, handle)
    kit.platform.stop(handle, GRACE)
    assert kit.platform.observe([handle])[handle].reason == "succeeded"


def test_stopping_what_never_was_is_success(kit: Kit) -> None:
    kit.platform.stop(kit.platform.handle("nobody", 1), GRACE)


def test_owned_lists_what_lives_and_nothing_else(kit: Kit) -> None:
    assert list(kit.platform.owned()) == []
    living = start(kit, kit.attempt(Work.ENDLESS))
    over = start(kit, kit.attempt(Work.SUCCEEDS))
    kit.attempt(Work.ENDLESS)  # never started
    assert ended(kit, over)
    assert list(kit.platform.owned()) == [living]
    kit.platform.stop(living, GRACE)
    assert ended(kit, living)
    assert list(kit.platform.owned()) == []


def test_the_log_is_read_from_an_offset(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.SPEAKS))
    assert active(kit, handle)
    files = kit.platform.files(handle)
    log = log_of(handle)
    assert kit.comes_true(lambda: says(kit, handle, b"one\ntwo\n"))
    assert files.read(log, offset=4) == b"two\n"
    assert files.read(log, offset=2, limit=3) == b"e\nt"
    assert files.read(log, offset=100) == b""


def log_of(handle: Handle) -> str:
    return f"attempt-{handle.token.rpartition('/')[2]}/output.log"


def test_a_file_that_is_not_there_is_not_found(kit: Kit) -> None:
    handle = start(kit, kit.attempt(Work.ENDLESS))
    with pytest.raises(NotFoundError):
        kit.platform.files(handle).read("attempt-1/nothing.log")


def test_watching_twice_and_watching_nothing_do_no_harm(kit: Kit) -> None:
    attempt = kit.attempt(Work.ENDLESS)
    handle = start(kit, attempt)
    kit.platform.watch(handle)
    kit.platform.watch(handle)
    kit.platform.watch(kit.platform.handle("nobody", 1))
    assert active(kit, handle)
    assert kit.trainers(attempt.run) == 1


def test_a_platform_that_outlives_its_controller_goes_on_without_it(kit: Kit) -> None:
    if not kit.platform.traits.survives_controller:
        pytest.skip("it promises no such thing")
    attempt = kit.attempt(Work.SUCCEEDS)
    start(kit, attempt)
    fresh = kit.another_controller()
    handle = fresh.handle(attempt.run, attempt.number)
    assert kit.comes_true(lambda: fresh.observe([handle])[handle].phase is Phase.ENDED)
    assert fresh.observe([handle])[handle].reason == "succeeded"


def test_a_platform_that_retries_by_itself_does_so_and_another_never_does(kit: Kit) -> None:
    attempt = kit.attempt(Work.FAILS, retries=1)
    handle = start(kit, attempt)
    following = kit.platform.handle(attempt.run, 2)
    assert ended(kit, handle)
    if kit.platform.traits.retries_itself:
        assert ended(kit, following)
    else:
        assert not kit.comes_true(lambda: phase(kit, following) is not Phase.GONE)


def test_a_stop_between_two_attempts_calls_the_retry_off(kit: Kit) -> None:
    if not kit.platform.traits.retries_itself:
        pytest.skip("it never retries by itself")
    attempt = kit.attempt(Work.FAILS, retries=1)
    handle = start(kit, attempt)
    assert ended(kit, handle)
    kit.platform.stop(handle, GRACE)
    kit.wait_until_nothing_watches()
    assert phase(kit, kit.platform.handle(attempt.run, 2)) is Phase.GONE


def test_an_offer_names_its_platform_and_a_platform_without_bills_costs_nothing(kit: Kit) -> None:
    offer = kit.offer(kit.attempt(Work.ENDLESS))
    assert offer.platform == kit.platform.name
    assert kit.platform.traits.bills_by_time == (offer.dollars_per_hour > 0)
