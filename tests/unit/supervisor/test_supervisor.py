"""Waiter and agent on this machine: stops, stubborn trainers, retries, cards, queues."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.torture.yard import Yard, prepare, wait_for
from tests.unit.supervisor.host import agent_pid, begin, closed, said, script, trainer_pid, watch
from trainctl.kit import events, files, locks, people, process, requests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run: needs Linux")

WAITS = "import time; print('ready'); time.sleep(60)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(60)"
COUNTS = """
import signal, time
told = []
signal.signal(15, lambda *_: (told.append(1), print("told")))
print("ready")
end = time.monotonic() + 1.5
while time.monotonic() < end:
    time.sleep(0.05)
"""


def names(attempt: Any) -> list[str]:
    return [record["event"] for record in events.read(attempt.events).records]


def test_who_ignores_a_stop_is_killed_after_the_grace(yard: Yard) -> None:
    attempt = begin(yard, "deaf", script(DEAF))
    said(attempt, "ready")
    requests.ask_to_stop(yard.run("deaf"), 1, 0.3, "a person")
    end = closed(attempt)
    assert (end["reason"], "SIGKILL" in end["evidence"]) == ("stopped", True)


def test_a_second_request_with_less_grace_is_obeyed_at_once(yard: Yard) -> None:
    attempt = begin(yard, "hurry", script(DEAF))
    said(attempt, "ready")
    requests.ask_to_stop(yard.run("hurry"), 1, 3600.0, "a person")
    wait_for(lambda: "stopping" in names(attempt))
    requests.ask_to_stop(yard.run("hurry"), 1, 0.0, "the same person")
    assert closed(attempt)["reason"] == "stopped"


def test_a_stopped_process_hears_of_its_end_too(yard: Yard) -> None:
    attempt = begin(yard, "frozen", script(WAITS))
    said(attempt, "ready")
    os.kill(trainer_pid(attempt), signal.SIGSTOP)
    requests.ask_to_stop(yard.run("frozen"), 1, 30.0, "a person")
    end = closed(attempt)
    assert (end["reason"], "SIGTERM" in end["evidence"]) == ("stopped", True)


def test_an_agent_that_dies_in_the_grace_is_followed_by_one_that_keeps_it(yard: Yard) -> None:
    attempt = begin(yard, "relay", script(COUNTS))
    run = yard.run("relay")
    said(attempt, "ready")
    requests.ask_to_stop(run, 1, 60.0, "a person")
    said(attempt, "told")
    wait_for(lambda: "stopping" in names(attempt))
    os.kill(agent_pid(run), signal.SIGKILL)
    watch(yard, run)
    end = closed(attempt)
    assert (end["reason"], "exit code 0" in end["evidence"]) == ("stopped", True)
    assert Path(attempt.log).read_text().count("told") == 1


def test_a_time_limit_is_a_polite_stop_of_its_own(yard: Yard) -> None:
    attempt = begin(yard, "limit", script(WAITS), max_seconds=0.5)
    assert closed(attempt)["reason"] == "deadline"


def test_a_stop_after_the_end_changes_nothing(yard: Yard) -> None:
    attempt = begin(yard, "late", script("raise SystemExit(3)"))
    wait_for(lambda: os.path.exists(attempt.exit))
    requests.ask_to_stop(yard.run("late"), 1, 0.0, "a person")
    assert closed(attempt)["reason"] == "failed"


def test_what_cannot_start_says_what_is_missing(yard: Yard) -> None:
    missing = begin(yard, "missing", ["no-such-program"])
    assert closed(missing)["reason"] == "setup_failed"
    nowhere = begin(yard, "nowhere", ["/bin/true"], cwd="/no/such/folder")
    end = closed(nowhere)
    assert (end["reason"], "/no/such/folder" in end["evidence"]) == ("setup_failed", True)


def test_a_terminal_shows_what_a_terminal_would(yard: Yard) -> None:
    text = "import sys; print(sys.stdout.isatty(), sys.stdin.isatty()); sys.exit(4)"
    attempt = begin(yard, "terminal", script(text), tty=True)
    assert closed(attempt)["evidence"].startswith("exit code 4")
    assert Path(attempt.log).read_text() == "True True\n"


def test_a_crash_is_retried_from_the_newest_whole_checkpoint(yard: Yard) -> None:
    text = (
        "import os, sys\n"
        "print(os.environ.get('TRAINCTL_RESUME_FROM'), sys.argv[1:])\n"
        "folder = os.environ['TRAINCTL_CHECKPOINT_DIR']\n"
        "open(os.path.join(folder, 'step-1.pkl'), 'wb').write(b'\\x80\\x04.')\n"
        "open(os.path.join(folder, 'step-2.pkl'), 'wb').write(b'\\x80\\x04cut')\n"
        "sys.exit(0 if os.environ['TRAINCTL_ATTEMPT'] == '2' else 5)\n"
    )
    resume = {"mode": "auto", "args": ["--from", "{checkpoint}"], "why": ""}
    first = begin(yard, "again", script(text), retries=1, resume=resume)
    end = closed(first)
    assert (end["reason"], end["next"]) == ("failed", 2)
    second = yard.run("again").attempt(2)
    assert closed(second)["reason"] == "succeeded"
    saved = os.path.join(yard.run("again").checkpoints, "step-1.pkl")
    assert Path(second.log).read_text() == f"{saved} ['--from', '{saved}']\n"
    [told] = [one for one in events.read(first.events).records if one["event"] == "passed_over"]
    assert (told["for"], told["from"], told["passed"][0]["step"]) == (2, saved, 2)


@pytest.mark.parametrize(
    "metrics",
    ["print('{\"step\":1' + '0' * 400 + ',\"loss\":NaN}', file=open(log, 'w'))", "os.mkfifo(log)"],
)
def test_a_log_that_nobody_can_make_sense_of_keeps_no_retry_from_coming(
    yard: Yard, metrics: str
) -> None:
    text = (
        "import os, sys\n"
        "folder, log = os.environ['TRAINCTL_CHECKPOINT_DIR'], os.environ['TRAINCTL_METRICS']\n"
        "open(os.path.join(folder, 'step-1.pkl'), 'wb').write(b'\\x80\\x04.')\n"
        f"{metrics}\n"
        "sys.exit(0 if os.environ['TRAINCTL_ATTEMPT'] == '2' else 5)\n"
    )
    assert closed(begin(yard, "odd", script(text), retries=1))["next"] == 2
    assert closed(yard.run("odd").attempt(2))["reason"] == "succeeded"


def test_a_stop_in_the_pause_calls_the_retry_off(yard: Yard) -> None:
    attempt = begin(yard, "pause", script("raise SystemExit(1)"), retries=5)
    run = yard.run("pause")
    assert closed(attempt)["next"] == 2
    requests.ask_to_stop(run, 1, 0.0, "a person")
    wait_for(lambda: "retry_cancelled" in names(attempt) or run.attempts() == [1, 2])
    wait_for(lambda: not os.path.exists(run.secrets))
    assert wait_for(lambda: not yard.processes())


def test_a_run_whose_folder_is_deleted_leaves_no_supervisor(yard: Yard) -> None:
    attempt = begin(yard, "deleted", script("import time; print('ready'); time.sleep(1)"))
    said(attempt, "ready")
    shutil.rmtree(yard.run("deleted").path)
    assert wait_for(lambda: not yard.processes())


def test_a_damaged_exit_record_ends_the_run_all_the_same(yard: Yard) -> None:
    run = prepare(yard.home, "damaged", script("pass"))
    attempt = run.attempt(1)
    os.mkdir(attempt.path)
    Path(attempt.exit).write_text('{"code": 0')
    watch(yard, run)
    end = closed(attempt)
    assert (end["reason"], "damaged" in end["evidence"]) == ("unknown_exit", True)


def test_an_attempt_that_nobody_came_to_start_is_judged(yard: Yard) -> None:
    run = prepare(yard.home, "orphaned", script("pass"))
    watch(yard, run)
    end = closed(run.attempt(1))
    assert (end["reason"], end["next"]) == ("setup_failed", None)
    assert not os.path.exists(run.secrets)


def test_another_boot_is_a_lost_host(yard: Yard) -> None:
    run = prepare(yard.home, "rebooted", script("pass"))
    os.mkdir(run.attempt(1).path)
    before = {"pid": os.getpid(), "start": "1", "boot": "another"}
    files.write_json(run.attempt(1).pid, {"waiter": before, "trainer": before, "started": 1.0})
    watch(yard, run)
    assert closed(run.attempt(1))["reason"] == "host_lost"


def test_two_agents_are_one(yard: Yard) -> None:
    attempt = begin(yard, "two", script("import time; print('ready'); time.sleep(2)"))
    said(attempt, "ready")
    for _ in range(3):
        watch(yard, yard.run("two"))
    closed(attempt)
    assert names(attempt).count("closed") == 1
    assert names(attempt).count("started") == 1


ONE_CARD = {"count": 1, "candidates": ["0"]}
SHOWS_CARD = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES'], 'ready'); time.sleep({})"


def test_a_card_is_refused_by_the_name_of_who_holds_it(yard: Yard) -> None:
    holder = begin(yard, "holder", script(SHOWS_CARD.format(60)), gpus=ONE_CARD)
    said(holder, "0 ready")
    refused = closed(begin(yard, "refused", script("pass"), gpus=ONE_CARD))
    assert refused["reason"] == "no_capacity"
    assert "GPU 0 is held by holder" in refused["evidence"]


def test_a_queue_drains_and_no_card_is_shared(yard: Yard) -> None:
    text = (
        "import os, time\n"
        "card = os.environ['CUDA_VISIBLE_DEVICES']\n"
        f"marker = os.path.join({str(yard.folder)!r}, 'card-' + card)\n"
        "os.close(os.open(marker, os.O_CREAT | os.O_EXCL))\n"
        "time.sleep(0.2)\n"
        "os.unlink(marker)\n"
    )
    two = {"count": 1, "candidates": ["0", "1"]}
    runs = [
        begin(yard, f"queued-{n}", script(text), gpus=two, wait_seconds=None) for n in range(6)
    ]
    assert [closed(attempt)["reason"] for attempt in runs] == ["succeeded"] * 6


def test_a_card_stays_taken_while_a_worker_of_its_run_lives(yard: Yard) -> None:
    """A launcher's workers inherit no lock, and here waiter and trainer are killed."""
    text = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True, close_fds=True)\n"
        "print('ready')\nimport time; time.sleep(60)\n"
    )
    first = begin(yard, "workers", script(text), gpus=ONE_CARD)
    said(first, "ready")
    trainer = trainer_pid(first)
    worker = next(iter(process.children(trainer)))
    wait_for(lambda: "workers" in process.environment(worker).get(process.RUN_MARK, ""))
    waiter, _ = people.of(first)
    os.kill(agent_pid(yard.run("workers")), signal.SIGKILL)
    assert process.signal_if_alive(waiter, signal.SIGKILL)
    os.kill(trainer, signal.SIGKILL)
    wait_for(lambda: process.identity(trainer) is None)
    wait_for(lambda: not locks.is_taken(os.path.join(yard.home.locks, "gpu-0.lock")))
    refused = closed(begin(yard, "next", script("pass"), gpus=ONE_CARD))
    assert (refused["reason"], "workers" in refused["evidence"]) == ("no_capacity", True)


def test_a_run_follows_one_that_succeeds_and_no_other(yard: Yard) -> None:
    first = begin(yard, "first", script("import time; time.sleep(0.5)"))
    second = begin(yard, "second", script("raise SystemExit(1)"), after="first")
    third = begin(yard, "third", script("pass"), after="second")
    assert closed(second)["reason"] == "failed"
    ended = [files.read_json(attempt.exit) or {} for attempt in (first, second)]
    assert ended[0]["ended"] <= ended[1]["started"]
    end = closed(third)
    assert (end["reason"], "second" in end["evidence"]) == ("setup_failed", True)


def test_a_queued_run_can_be_stopped(yard: Yard) -> None:
    said(begin(yard, "busy", script(SHOWS_CARD.format(60)), gpus=ONE_CARD), "ready")
    queued = begin(yard, "queued", script("pass"), gpus=ONE_CARD, wait_seconds=None)
    requests.ask_to_stop(yard.run("queued"), 1, 0.0, "a person")
    assert closed(queued)["reason"] == "stopped"
    assert not os.path.exists(queued.log)


def test_the_waiter_stays_small(yard: Yard) -> None:
    attempt = begin(yard, "small", script(WAITS))
    said(attempt, "ready")
    waiter, _ = people.of(attempt)
    assert waiter is not None
    status = Path(f"/proc/{waiter.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    assert resident < 16 * 1024
    began = time.monotonic()
    requests.ask_to_stop(yard.run("small"), 1, 30.0, "a person")
    closed(attempt)
    assert time.monotonic() - began < 20
