"""The zip, under every Python that a host may have: start, end, stop, orphans."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.torture.yard import Yard, wait_for
from tests.unit.supervisor.host import begin, closed, said, script
from trainctl.kit import checkpoints, events, files, people, process, requests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run: needs Linux")

SAVES = """
import os, signal, subprocess, sys, time
def save(*_):
    open(os.path.join(os.environ["TRAINCTL_CHECKPOINT_DIR"], "step-7.pkl"), "wb").write(b"\\x80.")
    print("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
orphan = subprocess.Popen(["sleep", "60"], env={}, start_new_session=True)
print("orphan", orphan.pid)
print("ready")
time.sleep(60)
"""


def test_a_run_starts_ends_and_says_how(yard: Yard, interpreter: Path) -> None:
    text = "import os, sys; print(os.environ['TRAINCTL_RUN']); sys.exit(7)"
    attempt = begin(yard, "ends", script(text), str(interpreter))
    end = closed(attempt)
    run = yard.run("ends")
    assert (end["reason"], end["next"]) == ("failed", None)
    assert Path(attempt.log).read_text() == "ends\n"
    ended = files.read_json(attempt.exit) or {}
    assert (ended["code"], ended["signal"]) == (7, None)
    assert ended["max_rss_bytes"] > 1_000_000
    assert ended["started"] <= ended["ended"]
    assert not os.path.exists(run.secrets)
    assert Path(run.agent_log).read_text() == ""
    waiter, trainer = people.of(attempt)
    assert waiter is not None
    assert trainer is not None
    assert wait_for(lambda: not yard.processes())


def test_a_stop_lets_it_save_and_leaves_no_orphan(yard: Yard, interpreter: Path) -> None:
    """What it saved is hashed and in the store by the time that its run has ended."""
    store = {"url": str(yard.folder / "store")}
    python = str(interpreter)
    attempt = begin(yard, "stops", script(SAVES), python, grace_seconds=20.0, store=store)
    said(attempt, "ready")
    run = yard.run("stops")
    requests.ask_to_stop(run, 1, 20.0, "a person")
    end = closed(attempt)
    assert end["reason"] == "stopped"
    orphan = int(Path(attempt.log).read_text().split()[1])
    assert process.identity(orphan) is None
    saved, verified, pushed = events.read(attempt.checkpoints).records
    assert checkpoints.step_of(os.path.basename(saved["path"])) == saved["step"] == 7
    assert (verified["event"], pushed["event"]) == ("verified", "pushed")
    held = os.path.join(store["url"], pushed["key"], "data/step-7.pkl")
    assert Path(held).read_bytes() == b"\x80."
    assert Path(run.agent_log).read_text() == ""


def test_a_dead_waiter_is_told_apart_and_its_trainer_goes_on(
    yard: Yard, interpreter: Path
) -> None:
    text = "import time; print('ready'); time.sleep(1); print('done')"
    attempt = begin(yard, "goes-on", script(text), str(interpreter))
    said(attempt, "ready")
    waiter, _ = people.of(attempt)
    assert process.signal_if_alive(waiter, signal.SIGKILL)
    end = closed(attempt)
    assert end["reason"] == "unknown_exit"
    assert Path(attempt.log).read_text() == "ready\ndone\n"
