"""A real agent beside a real trainer: it keeps checkpoints, and nobody waits for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.torture.yard import Yard, wait_for
from tests.unit.supervisor.host import agent_pid, begin, closed, said, script
from trainctl.kit import events, manifest, requests
from trainctl.kit.names import AttemptFolder
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run: needs Linux")

SAVE = """
import os, sys, time
folder, attempt = os.environ["TRAINCTL_CHECKPOINT_DIR"], os.environ["TRAINCTL_ATTEMPT"]
with open(os.path.join(folder, f"step-{attempt}.pkl"), "wb") as file:
    file.write(b"\\x80")
    file.truncate(SIZE - 1)
    file.seek(0, 2)
    file.write(b".")
print("saved")
"""


def told(attempt: AttemptFolder, event: str) -> dict[str, Any] | None:
    records = events.read(attempt.checkpoints).records + events.read(attempt.events).records
    return next((record for record in records if record["event"] == event), None)


def test_a_stop_is_obeyed_while_a_large_checkpoint_is_hashed(yard: Yard) -> None:
    text = SAVE.replace("SIZE", str(1 << 30)) + "time.sleep(60)"
    attempt = begin(yard, "large", script(text))
    wait_for(lambda: told(attempt, "checkpoint"))
    requests.ask_to_stop(yard.run("large"), 1, 30.0, "a person")
    assert closed(attempt)["reason"] == "stopped"
    stopping, verified = told(attempt, "stopping"), told(attempt, "verified")
    assert stopping is not None
    assert verified is not None
    assert stopping["at"] < verified["at"]


def test_the_agent_stays_small(yard: Yard) -> None:
    store = {"url": str(yard.folder / "store")}
    text = SAVE.replace("SIZE", str(50 << 20)) + "time.sleep(60)"
    attempt = begin(yard, "small", script(text), store=store)
    wait_for(lambda: told(attempt, "pushed"))
    status = Path(f"/proc/{agent_pid(yard.run('small'))}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    assert most < 40 * 1024
    requests.ask_to_stop(yard.run("small"), 1, 0.0, "a person")
    closed(attempt)


def test_a_retry_knows_its_parent_and_sends_what_was_left(yard: Yard) -> None:
    store = FolderStore(str(yard.folder / "store"))
    text = SAVE.replace("SIZE", "1000") + "sys.exit(0 if attempt == '2' else 5)"
    begin(yard, "again", script(text), retries=1, store={"url": store.url})
    run = yard.run("again")
    assert closed(run.attempt(2))["reason"] == "succeeded"
    made = [
        manifest.read(yard.home.manifests, os.path.join(run.checkpoints, f"step-{n}.pkl"))
        for n in (1, 2)
    ]
    first, second = made
    assert first is not None
    assert second is not None
    assert (first.about.attempt, first.about.parent) == (1, None)
    assert (second.about.attempt, second.about.parent) == (2, first.id)
    assert [one.step for one in shelf.shelved(store, "again")] == [1, 2]


def test_a_stop_at_once_does_not_wait_for_the_store(yard: Yard) -> None:
    (yard.folder / "file").touch()
    text = SAVE.replace("SIZE", "1000") + "time.sleep(60)"
    store = {"url": str(yard.folder / "file/store")}
    attempt = begin(yard, "hurry", script(text), store=store)
    said(attempt, "saved")
    requests.ask_to_stop(yard.run("hurry"), 1, 0.0, "a person")
    assert closed(attempt)["reason"] == "stopped"
    left = told(attempt, "unfinished")
    assert left is not None
    assert left["unhashed"] or left["unsent"]
