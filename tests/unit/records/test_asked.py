"""The controller's side of a record: asked for, seen, judged; and the host's word against it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import jobs
from tests.fakes.world import folder
from trainctl.kit import events, files
from trainctl.kit.names import Home, RunFolder
from trainctl.records import asked, record
from trainctl.records.asked import Contact, StopAsked
from trainctl.records.state import LIVING, Reason, State


def run_in(home: str | Path, *log: tuple[str, dict[str, Any]]) -> RunFolder:
    """A run folder with this log, and with plans for its first attempts."""
    there = Home(str(home))
    job = jobs.new_run(there, "run", "memory", ["train"])
    run = there.run("run")
    for number in (1, 2, 3):
        plan = jobs.attempt_of(there, job, number).launch
        plan._replace(automatic=number == 2).write(run, number)
    for event, fields in log:
        events.append(run.events, event, fields, durable=False)
    return run


def seen(number: int, **contact: Any) -> tuple[str, dict[str, Any]]:
    return "contact", {"attempt": number, **Contact(**contact)._asdict()}


def judged(number: int, reason: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "judged", {"attempt": number, "reason": reason, "evidence": "seen", **more}


SUBMITTED = ("submitted", {"platform": "memory"})


def test_what_was_only_asked_for_is_queued_and_wanted(tmp_path: Path) -> None:
    found = record.read(run_in(tmp_path, SUBMITTED))
    assert (found.state, found.wanted, found.attempts) == (State.QUEUED, 1, [])


def test_what_was_seen_running_runs(tmp_path: Path) -> None:
    found = record.read(run_in(tmp_path, SUBMITTED, seen(1), seen(1, running_since=5.0)))
    assert (found.state, found.wanted) == (State.RUNNING, None)
    assert found.attempts[0].started == 5.0


def test_a_judgement_ends_an_attempt_that_could_not_say_it_itself(tmp_path: Path) -> None:
    end = judged(1, "out_of_memory", started=5.0, ended=9.0)
    found = record.read(run_in(tmp_path, SUBMITTED, seen(1), end))
    assert (found.state, found.reason) == (State.ENDED, Reason.OUT_OF_MEMORY)
    assert (found.attempts[0].started, found.attempts[0].ended) == (5.0, 9.0)
    assert not found.living


def test_a_judgement_with_a_successor_leaves_the_run_interrupted_and_living(
    tmp_path: Path,
) -> None:
    found = record.read(run_in(tmp_path, SUBMITTED, seen(1), judged(1, "failed", next=2)))
    assert (found.state, found.wanted, found.living) == (State.INTERRUPTED, 2, True)
    events.append(run_folder(tmp_path).events, "attempt_requested", {"attempt": 2})
    assert record.read(run_folder(tmp_path)).state is State.QUEUED


def run_folder(home: Path) -> RunFolder:
    return Home(str(home)).run("run")


def test_what_its_host_closed_counts_more_than_a_judgement(tmp_path: Path) -> None:
    run = run_in(tmp_path, SUBMITTED, seen(1), judged(1, "host_lost", next=2))
    os.mkdir(run.attempt(1).path)
    files.write_json(run.attempt(1).exit, {"code": 0, "started": 1.0, "ended": 2.0})
    closing = {"reason": "succeeded", "evidence": "exit code 0", "next": None}
    events.append(run.attempt(1).events, "closed", closing)
    found = record.read(run)
    assert (found.state, found.reason) == (State.ENDED, Reason.SUCCEEDED)


def test_who_was_judged_as_never_begun_is_believed_when_it_did(tmp_path: Path) -> None:
    run = run_in(tmp_path, SUBMITTED, judged(1, "setup_failed"))
    assert record.read(run).reason is Reason.SETUP_FAILED
    os.mkdir(run.attempt(1).path)
    files.write_json(run.attempt(1).pid, {"trainer": {"pid": 7}, "started": 1.0})
    assert record.read(run).state is State.RUNNING


def test_a_stop_holds_until_the_run_is_resumed() -> None:
    stop = {"event": "stop_requested", "at": 5.0, "grace_seconds": 3.0}
    sent = {"event": "stop_sent", "at": 6.0, "attempt": 1}
    resumed = {"event": "resumed", "at": 7.0, "attempt": 2}
    found = asked.fold([stop, sent])
    assert (found.stop, found.stop_sent) == (StopAsked(5.0, 3.0), {1})
    assert asked.fold([stop, sent, stop]).stop_sent == set()
    assert asked.fold([stop, sent, resumed]).stop is None


numbers = st.integers(1, 3)
reasons = st.sampled_from([*map(str, Reason), "a reason of a newer trainctl"])
times = st.none() | st.floats(0, 1e9)
anything = st.one_of(
    st.just(SUBMITTED),
    st.builds(lambda n: ("resumed", {"attempt": n}), numbers),
    st.builds(
        lambda n, a: ("attempt_requested", {"attempt": n, "automatic": a}), numbers, st.booleans()
    ),
    st.builds(lambda n, r: seen(n, running_since=r), numbers, times),
    st.builds(lambda n, r, x: judged(n, r, next=x), numbers, reasons, st.none() | numbers),
    st.just(("stop_requested", {"grace_seconds": 1.0})),
    st.builds(lambda n: ("stop_sent", {"attempt": n}), numbers),
    st.just(("a newer event", {"attempt": 9})),
)


@given(st.lists(anything, max_size=12))
def test_any_log_makes_a_record(log: list[tuple[str, dict[str, Any]]]) -> None:
    with folder() as home:
        found = record.read(run_in(home, *log))
    assert found.corrupt == []
    assert found.living if found.state in LIVING else found.reason is not None
    counted = [attempt.number for attempt in found.attempts]
    assert counted == sorted(set(counted))
