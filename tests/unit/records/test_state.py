"""The one table of states, fed with any list of events."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.errors import IllegalTransitionError
from trainctl.kit.reasons import classify
from trainctl.records.state import (
    INTERRUPTING,
    LIVING,
    TRANSITIONS,
    Event,
    Reason,
    State,
    advance,
    next_command,
)

AT_REST = {State.INTERRUPTED, State.ENDED}


@given(st.lists(st.sampled_from(Event)))
def test_any_list_of_events_is_legal_or_refused_and_a_refusal_changes_nothing(
    events: list[Event],
) -> None:
    state = State.QUEUED
    for event in events:
        if (state, event) in TRANSITIONS:
            state = advance(state, event)
        else:
            with pytest.raises(IllegalTransitionError, match=f"{state} cannot take {event}"):
                advance(state, event)
        assert (state in LIVING) != (state in AT_REST)


@given(st.lists(st.sampled_from(Event)))
def test_only_a_retry_or_a_resume_leaves_rest(events: list[Event]) -> None:
    state = State.QUEUED
    for event in events:
        before, state = state, TRANSITIONS.get((state, event), state)
        if before in AT_REST and state in LIVING:
            assert event in {Event.RETRIED, Event.RESUMED}
            assert state is State.QUEUED


def test_what_ended_goes_on_only_by_a_person() -> None:
    assert {event for state, event in TRANSITIONS if state is State.ENDED} == {Event.RESUMED}


def test_every_state_is_reached_from_the_first() -> None:
    reached = {State.QUEUED}
    while more := {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_from_every_state_a_run_can_come_to_rest() -> None:
    resting = set(AT_REST)
    while more := {state for (state, _), to in TRANSITIONS.items() if to in resting} - resting:
        resting |= more
    assert resting == set(State)


def test_every_event_moves_some_state() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_an_interrupting_reason_is_a_reason_and_not_the_runs_own_fault() -> None:
    own = {Reason.SUCCEEDED, Reason.FAILED, Reason.STOPPED, Reason.OUT_OF_MEMORY}
    assert INTERRUPTING.isdisjoint(own)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_next_command_that_names_the_run(reason: Reason) -> None:
    text = next_command(reason, "train-7f3k")
    assert "trainctl " in text
    assert "train-7f3k" in text


def test_what_was_killed_from_outside_needs_no_mending() -> None:
    end = classify({"signal": signal.SIGKILL}, b"step 50 loss 40.5583\n")
    assert end == ("failed", "killed by SIGKILL from outside; last output: step 50 loss 40.5583")
    assert next_command(Reason.FAILED, "r", end.evidence) == "trainctl resume r"
    assert "once it is mended" in next_command(Reason.FAILED, "r", "exit code 1: boom")
