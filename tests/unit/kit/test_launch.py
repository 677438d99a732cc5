"""What an attempt starts, and what controllers ask of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.torture.yard import job_of
from trainctl.kit import files, launch, requests
from trainctl.kit.names import Home, RunFolder


def run_in(tmp_path: Path) -> RunFolder:
    run = Home(str(tmp_path)).run("run-1")
    os.makedirs(run.path)
    return run


def job(run: RunFolder, **changes: Any) -> dict[str, Any]:
    words = ["/python", "train.py", "--epochs", "5"]
    resume = {"mode": "auto", "args": ["--resume", "{checkpoint}"], "why": ""}
    return {**job_of(run, words, "/project"), "arguments_at": 2, "resume": resume, **changes}


def test_the_first_attempt_starts_what_was_typed(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    plan = launch.render(run, job(run), 1)
    assert plan.command == ["/python", "train.py", "--epochs", "5"]
    assert plan.variables["TRAINCTL_RUN"] == "run-1"
    assert plan.variables["TRAINCTL_RUN_DIR"] == run.path
    assert plan.variables["TRAINCTL_ATTEMPT"] == "1"
    assert "TRAINCTL_RESUME_FROM" not in plan.variables
    assert plan.locks == str(tmp_path / "locks")


def test_a_later_attempt_hears_of_its_checkpoint_twice(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    plan = launch.render(run, job(run), 2, checkpoint="/out/step-5.pt", extra=["--lr", "1"])
    assert plan.command[2:] == ["--epochs", "5", "--lr", "1", "--resume", "/out/step-5.pt"]
    assert plan.variables["TRAINCTL_RESUME_FROM"] == "/out/step-5.pt"


def test_only_the_first_attempt_follows_another_run_and_only_it_may_be_refused(
    tmp_path: Path,
) -> None:
    run = run_in(tmp_path)
    asked = job(run, after="before", wait_seconds=0.0)
    assert launch.render(run, asked, 1).after == "before"
    again = launch.render(run, asked, 2, automatic=True)
    assert (again.after, again.wait_seconds) == (None, None)


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    plan = launch.render(run, job(run), 1)
    plan.write(run, 1)
    assert launch.read(run, 1) == plan
    assert launch.read(run, 2) is None


def test_a_plan_of_a_newer_version_is_read_and_half_a_plan_is_none(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    plan = launch.render(run, job(run), 1)
    files.write_json(run.launch(1), {**plan._asdict(), "unheard_of": 1})
    assert launch.read(run, 1) == plan
    files.write_json(run.launch(1), {"command": ["a"]})
    assert launch.read(run, 1) is None


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: "=" not in name and "\0" not in name),
        st.text().filter(lambda value: "\0" not in value),
    )
)
def test_any_environment_comes_back(tmp_path_factory: Any, environment: dict[str, str]) -> None:
    run = RunFolder(str(tmp_path_factory.mktemp("run")))
    launch.write_environment(run, environment)
    assert launch.read_environment(run) == environment
    assert os.stat(run.secrets).st_mode & 0o777 == 0o600


def test_an_unattended_attempt_runs_the_recorded_code_where_the_tree_has_changed(
    tmp_path: Path,
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("new")
    run = run_in(tmp_path)
    asked = job(run, cwd=str(project), project=str(project), script=1)
    assert launch.render(run, asked, 2, automatic=True).command[1] == "train.py"
    os.makedirs(run.snapshot)
    kept = Path(run.snapshot) / "train.py"
    kept.write_text("new")
    assert launch.render(run, asked, 2, automatic=True).command[1] == "train.py"
    kept.write_text("old")
    assert launch.render(run, asked, 2, automatic=True).command[1] == str(kept)
    assert launch.render(run, asked, 2).command[1] == "train.py"


def chain(run: RunFolder, *automatic: bool) -> None:
    for number, flag in enumerate(automatic, 1):
        launch.render(run, job(run), number, automatic=flag).write(run, number)


def test_the_last_start_by_hand_is_found_behind_retries(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    chain(run, False, True, True, False, True)
    assert [launch.last_by_hand(run, number) for number in range(1, 6)] == [1, 1, 1, 4, 4]


def test_a_stop_holds_for_the_retries_of_the_attempt_it_was_asked_of(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    chain(run, False, True, False)
    assert requests.stop_request(run, 1) is None
    requests.ask_to_stop(run, 1, 30.0, "a person")
    asked = requests.stop_request(run, 2)
    assert asked is not None
    assert asked["by"] == "a person"
    assert requests.stop_request(run, 3) is None


def test_of_two_stops_the_one_with_less_grace_counts(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    chain(run, False)
    requests.ask_to_stop(run, 1, 30.0, "a person")
    requests.ask_to_stop(run, 1, 0.0, "an impatient person")
    requests.ask_to_stop(run, 1, 60.0, "a patient one")
    (Path(run.requests) / "stop-1-torn.json").write_text("{")
    (Path(run.requests) / "stop-1-odd.json").write_text(json.dumps({"attempt": 1}))
    asked = requests.stop_request(run, 1)
    assert asked is not None
    assert asked["grace_seconds"] == 0.0


def test_attempts_are_told_from_what_only_looks_like_them(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    for name in ("attempt-2", "attempt-10", "attempt-1", "attempt-x", "attempt-", "attempt-3.old"):
        os.mkdir(os.path.join(run.path, name))
    assert run.attempts() == [1, 2, 10]
    assert RunFolder(str(tmp_path / "none")).attempts() == []
