"""What control decides after one look: every phase, and every reason to do something about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.control.decide import (
    Action,
    Decision,
    Known,
    Past,
    Patience,
    decide,
    remembered,
)
from trainctl.kit.retry import Ended
from trainctl.platforms.protocol import Observation, Phase, Traits
from trainctl.records.asked import Contact

NOW = 1_000_000.0
PATIENCE = Patience(silence_seconds=600, gone_seconds=30, claim_seconds=60)
CLOUD = Traits(
    bills_by_time=True,
    queues=True,
    interrupts=True,
    survives_controller=True,
    retries_itself=False,
)
HOST = CLOUD._replace(retries_itself=True)
SEEN = Known(Contact(running_since=NOW - 500))
STOPPING = SEEN._replace(stopping=True)
TOLD = STOPPING._replace(told=True)
NEVER_SEEN = Known(None)


def past(retries: int = 0, used: int = 0, seconds: float = 500) -> Past:
    """A run that has used so many of its retries; every attempt lasted so long."""
    attempts = [Ended("failed", seconds, saved=False, automatic=i > 0) for i in range(used + 1)]
    return Past(attempts[:-1], attempts[-1], retries)


def look(phase: Phase, **seen: object) -> Observation:
    return Observation(phase, NOW)._replace(**seen)


def on_a_cloud(seen: Observation, known: Known = SEEN, before: Past | None = None) -> Decision:
    return decide(seen, known, before or past(), CLOUD, PATIENCE)


def on_a_host(seen: Observation, known: Known = SEEN) -> Decision:
    return decide(seen, known, past(), HOST, PATIENCE)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.ACTIVE])
def test_what_lives_and_is_watched_is_left_alone(phase: Phase) -> None:
    assert on_a_cloud(look(phase)).action is Action.WAIT
    assert on_a_host(look(phase)).action is Action.WAIT


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.ACTIVE])
def test_what_lives_unwatched_gets_its_agent_again(phase: Phase) -> None:
    assert on_a_cloud(look(phase, watched=False)).action is Action.WATCH
    assert on_a_host(look(phase, watched=False)).action is Action.WATCH


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.ACTIVE, Phase.GONE])
def test_a_stop_is_told_until_it_was_heard(phase: Phase) -> None:
    assert on_a_cloud(look(phase), STOPPING).action is Action.STOP
    assert on_a_host(look(phase), STOPPING).action is Action.STOP
    assert on_a_cloud(look(phase), TOLD).action is not Action.STOP
    assert on_a_host(look(phase), TOLD).action is not Action.STOP


def test_a_host_hears_of_a_stop_also_before_the_start_and_between_attempts() -> None:
    unseen = NEVER_SEEN._replace(stopping=True, requested=NOW)
    assert on_a_host(look(Phase.GONE), unseen).action is Action.STOP
    assert on_a_host(look(Phase.ENDED, reason="failed"), STOPPING).action is Action.STOP


def test_a_host_that_says_nothing_yet_only_needs_an_agent() -> None:
    assert on_a_host(look(Phase.GONE, watched=False)).action is Action.WATCH
    assert on_a_host(look(Phase.ENDED, reason="failed", watched=False)).action is Action.WATCH
    assert on_a_host(look(Phase.ENDED, reason="failed")).action is Action.WAIT


def test_a_host_is_not_disturbed_while_somebody_starts_an_attempt() -> None:
    starting = NEVER_SEEN._replace(requested=NOW - 5)
    assert on_a_host(look(Phase.GONE, watched=False), starting).action is Action.WAIT
    abandoned = NEVER_SEEN._replace(requested=None)
    assert on_a_host(look(Phase.GONE, watched=False), abandoned).action is Action.WATCH


def test_silence_is_borne_and_then_said_but_nothing_is_started() -> None:
    for silent, action in ((0, Action.WAIT), (600, Action.WAIT), (601, Action.WARN)):
        known = Known(Contact(silent_since=NOW - silent))
        assert on_a_cloud(look(Phase.UNKNOWN), known, past(retries=9)).action is action


def test_silence_from_the_very_start_counts_from_the_request() -> None:
    known = NEVER_SEEN._replace(requested=NOW - 3600)
    assert on_a_cloud(look(Phase.UNKNOWN), known).action is Action.WARN
    assert on_a_cloud(look(Phase.UNKNOWN), NEVER_SEEN).action is Action.WAIT


def test_absence_counts_only_when_it_is_seen_again_after_a_while() -> None:
    for ago, action in ((0, Action.WAIT), (29, Action.WAIT), (30, Action.FINISH)):
        known = Known(Contact(gone_since=NOW - ago))
        assert on_a_cloud(look(Phase.GONE), known).action is action


def test_what_is_gone_is_lost_and_retried_where_that_was_asked_for() -> None:
    known = Known(Contact(gone_since=NOW - 60))
    decision = on_a_cloud(look(Phase.GONE), known, past(retries=1))
    assert (decision.action, decision.reason) == (Action.RETRY, "host_lost")
    assert decision.evidence


def test_what_is_gone_after_a_stop_was_stopped() -> None:
    known = TOLD._replace(contact=Contact(gone_since=NOW - 60))
    decision = on_a_cloud(look(Phase.GONE), known, past(retries=1))
    assert (decision.action, decision.reason) == (Action.FINISH, "stopped")


def test_what_is_not_there_yet_is_given_time_while_its_asker_lives() -> None:
    for ago, action in ((0, Action.WAIT), (59, Action.WAIT), (60, Action.SUBMIT)):
        known = NEVER_SEEN._replace(requested=NOW - ago)
        assert on_a_cloud(look(Phase.GONE), known).action is action
    assert on_a_cloud(look(Phase.GONE), NEVER_SEEN).action is Action.SUBMIT


def test_a_clock_that_was_set_back_does_not_delay_a_start_for_ever() -> None:
    known = NEVER_SEEN._replace(requested=NOW + 86_400)
    assert on_a_cloud(look(Phase.GONE), known).action is Action.SUBMIT


def test_a_retry_waits_for_its_time() -> None:
    early = on_a_cloud(look(Phase.GONE), NEVER_SEEN._replace(due=NOW + 8))
    assert (early.action, early.why) == (Action.WAIT, "it starts in 8 s")
    assert on_a_cloud(look(Phase.GONE), NEVER_SEEN._replace(due=NOW)).action is Action.SUBMIT


def test_what_was_stopped_before_it_started_never_starts() -> None:
    decision = on_a_cloud(look(Phase.GONE), NEVER_SEEN._replace(stopping=True))
    assert (decision.action, decision.reason) == (Action.FINISH, "stopped")


def test_what_nobody_knows_how_to_start_has_failed_to_set_up() -> None:
    decision = on_a_cloud(look(Phase.GONE), NEVER_SEEN._replace(startable=False))
    assert (decision.action, decision.reason) == (Action.FINISH, "setup_failed")


@pytest.mark.parametrize("reason", ["succeeded", "stopped", "out_of_memory", "disk_full"])
def test_some_ends_are_never_retried(reason: str) -> None:
    decision = on_a_cloud(look(Phase.ENDED, reason=reason), SEEN, past(retries=9))
    assert (decision.action, decision.reason) == (Action.FINISH, reason)


@pytest.mark.parametrize("reason", ["failed", "preempted", "host_lost", "unknown_exit"])
def test_some_ends_are_retried_as_often_as_was_asked(reason: str) -> None:
    seen = look(Phase.ENDED, reason=reason)
    assert on_a_cloud(seen, SEEN, past(retries=2, used=1)).action is Action.RETRY
    assert on_a_cloud(seen, SEEN, past(retries=2, used=2)).action is Action.FINISH
    assert on_a_cloud(seen, SEEN, past(retries=0)).action is Action.FINISH


def test_an_end_without_a_reason_is_an_unknown_exit() -> None:
    assert on_a_cloud(look(Phase.ENDED)).reason == "unknown_exit"


def test_an_end_after_a_stop_is_not_retried_whatever_its_reason() -> None:
    seen = look(Phase.ENDED, reason="preempted")
    decision = on_a_cloud(seen, STOPPING, past(retries=9))
    assert (decision.action, decision.reason) == (Action.FINISH, "preempted")


def test_pauses_between_retries_grow() -> None:
    seen = look(Phase.ENDED, reason="failed")
    pauses = [on_a_cloud(seen, SEEN, past(9, used)).delay_seconds for used in range(4)]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]


def test_quick_failures_in_a_row_are_a_crash_loop_with_the_last_words() -> None:
    seen = look(Phase.ENDED, reason="failed", evidence="exit code 3")
    decision = on_a_cloud(seen, SEEN, past(retries=9, used=2, seconds=5))
    assert (decision.action, decision.reason) == (Action.FINISH, "crash_loop")
    assert "exit code 3" in decision.evidence


def test_an_answer_wipes_out_silence_and_absence() -> None:
    troubled = Contact(NOW - 500, NOW - 50, NOW - 40)
    assert remembered(troubled, look(Phase.ACTIVE)) == Contact(NOW - 500)
    assert remembered(troubled, look(Phase.PENDING)) == Contact(NOW - 500)


def test_silence_wipes_out_no_absence() -> None:
    gone = Contact(NOW - 500, None, NOW - 40)
    after = remembered(gone, look(Phase.UNKNOWN))
    assert after == gone._replace(silent_since=NOW)


def test_the_start_is_the_hosts_word_where_it_has_one() -> None:
    assert remembered(None, look(Phase.ACTIVE, started=NOW - 9)) == Contact(NOW - 9)
    assert remembered(None, look(Phase.ACTIVE)) == Contact(NOW)


def test_what_was_never_seen_is_not_remembered_as_gone_or_silent() -> None:
    assert remembered(None, look(Phase.GONE)) is None
    assert remembered(None, look(Phase.UNKNOWN)) is None


times = st.none() | st.floats(NOW - 1e5, NOW + 1e5)
contacts = st.none() | st.builds(Contact, times, times, times)
knowns = st.builds(
    Known, contacts, times, st.floats(NOW - 1e3, NOW + 1e3), *[st.booleans() for _ in range(3)]
)
looks = st.builds(
    Observation,
    st.sampled_from(Phase),
    st.just(NOW),
    st.booleans(),
    st.none() | st.sampled_from(["failed", "preempted", "succeeded"]),
)
pasts = st.builds(past, st.integers(0, 5), st.integers(0, 5), st.floats(0, 1000))


@given(looks, knowns, pasts, st.sampled_from([CLOUD, HOST]))
def test_whatever_is_seen_the_promises_hold(
    seen: Observation, known: Known, before: Past, traits: Traits
) -> None:
    decision = decide(seen, known, before, traits, PATIENCE)
    assert decision.why
    if decision.action in (Action.RETRY, Action.FINISH):
        assert decision.reason is not None
        assert seen.phase in (Phase.ENDED, Phase.GONE)
    if decision.action is Action.RETRY:
        assert not known.stopping
        assert before.retries > 0
    if decision.action in (Action.RETRY, Action.FINISH, Action.SUBMIT):
        assert not traits.retries_itself
    if decision.action is Action.SUBMIT:
        assert known.contact is None
        assert not known.stopping


@given(st.lists(looks, min_size=1))
def test_looking_twice_at_the_same_moment_remembers_nothing_new(seen: list[Observation]) -> None:
    contact: Contact | None = None
    for one in seen:
        contact = remembered(contact, one)
        assert remembered(contact, one) == contact
