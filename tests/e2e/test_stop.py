"""Stopping and deleting: politely, by force, and never more than was asked for."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.line import CommandLine, is_alive, wait_until

SAVES = """\
import signal, sys, time
def save(*_):
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(60)
"""
STUBBORN = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
HAS_CHILDREN = """\
import subprocess, time
for _ in range(3):
    subprocess.Popen(["setsid", "sleep", "1000"])
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def living(trainctl: CommandLine, request: pytest.FixtureRequest) -> CommandLine:
    """A run `r` of the script that is the parameter, once it is ready."""
    trainctl.write("living.py", request.param)
    trainctl.ok("run", "-d", "--name", "r", "living.py")
    wait_until(lambda: "ready" in trainctl.log("r"), "the script")
    return trainctl


@pytest.mark.parametrize("living", [SAVES], indirect=True)
def test_a_script_gets_time_to_save(living: CommandLine):
    done = living.ok("stop", "r")

    assert "saved" in living.log("r")
    assert "r: stopped after" in done.err
    assert living.show("r")["reason"] == "stopped"


@pytest.mark.parametrize("living", [SAVES], indirect=True)
def test_stopping_twice_is_stopping_once(living: CommandLine):
    living.ok("stop", "r")

    assert "r has ended already: stopped" in living.ok("stop", "r").err


@pytest.mark.parametrize("living", [STUBBORN], indirect=True)
@pytest.mark.parametrize("how", [["--now"], ["--grace", "0.3"]])
def test_a_stubborn_script_is_killed(living: CommandLine, how: list[str]):
    living.ok("stop", *how, "r")

    assert living.show("r")["attempts"][0]["signal"] == signal.SIGKILL


@pytest.mark.parametrize("living", [HAS_CHILDREN], indirect=True)
def test_nothing_that_it_started_is_left(living: CommandLine):
    before = living.show("r")["attempts"][0]["trainer_pid"]
    living.ok("stop", "--now", "r")

    assert not is_alive(before)
    assert living("delete", "--yes", "r").code == 0  # refused while a process carries its mark


@pytest.mark.parametrize("living", [SAVES], indirect=True)
def test_json_says_how_it_ended(living: CommandLine):
    (told,) = living.ok("stop", "--json", "r").data

    assert told == {"name": "r", "state": "ended", "reason": "stopped"}


def test_a_queued_run_leaves_the_queue(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "a", "train.py", "--steps", "99", "--sleep", "0.1")
    trainctl.ok("run", "-d", "--name", "b", "--after", "a", "train.py")
    trainctl.ok("stop", "b")

    assert trainctl.show("b")["reason"] == "stopped"
    assert trainctl.log("b") == ""
    assert trainctl.show("a")["state"] == "running"


def test_a_stop_calls_off_the_next_retry(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "r", "--retries", "5", "train.py", "--crash-at", "1")
    wait_until(lambda: trainctl.show("r")["state"] == "interrupted", "the pause before a retry")
    trainctl.ok("stop", "r")

    assert trainctl.until_rest("r")["living"] is False
    assert len(trainctl.show("r")["attempts"]) < 6


def test_delete_says_what_would_go_and_asks(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "train.py")
    dry = trainctl.ok("delete", "--dry-run", "r")
    unasked = trainctl("delete", "r")

    assert "would remove" in dry.err
    assert unasked.code == 5
    assert "--yes" in unasked.err
    assert trainctl.run_folder("r").is_dir()

    trainctl.ok("delete", "--yes", "r")
    assert not trainctl.run_folder("r").exists()
    assert (trainctl.project / "out" / "step_1.pt").exists()
    assert trainctl("show", "r").code == 4


def test_a_living_run_is_not_deleted(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "r", "train.py", "--steps", "99", "--sleep", "0.1")

    assert trainctl("delete", "--yes", "r").code == 75
    assert trainctl.show("r")["state"] == "running"
