"""Checkpoints while a run goes on: hashed, sent as it was asked, pruned, and gone with the run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.e2e.line import CommandLine

DAY = 86_400


def shelved(line: CommandLine, run: str) -> list[str]:
    """Attempt and step of each checkpoint in the store."""
    names = os.listdir(line.project / "store/runs" / run)
    return sorted(name.rpartition("-")[0] for name in names)


def test_each_checkpoint_of_a_run_is_verified_and_in_the_store_at_its_end(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "--store", "store", "train.py", "--steps", "4")
    assert shelved(trainctl, "r") == ["1-1", "1-2", "1-3", "1-4"]
    found = trainctl.ok("checkpoint", "list", "r", "--json").data["checkpoints"]
    assert [(row["verified"], row["where"]) for row in found] == [(True, "both")] * 4
    seen = trainctl.show("r")["attempts"][0]["checkpoints"]
    assert all(one["verified"] and one["pushed"] for one in seen)


def test_only_what_is_asked_for_is_sent(trainctl: CommandLine):
    words = ("--store", "store", "--push", "every 3", "train.py", "--steps", "5")
    trainctl.ok("run", "--name", "r", *words)
    assert shelved(trainctl, "r") == ["1-1", "1-4", "1-5"]  # the last one anyhow


def test_a_store_is_nothing_that_a_project_may_choose(trainctl: CommandLine):
    trainctl.write("trainctl.toml", 'store = "elsewhere"\n')
    done = trainctl("run", "train.py")
    assert "may not be set by a project" in done.err


def test_a_push_that_no_policy_is_asks_for_another(trainctl: CommandLine):
    done = trainctl("run", "-d", "--push", "every", "train.py")
    assert (done.code, '"all", "best", "every N" or "off"' in done.err) == (2, True)


def test_what_did_not_reach_the_store_is_told(trainctl: CommandLine):
    trainctl.write("file", "")
    trainctl.ok("run", "--name", "r", "--store", "file/store", "train.py")
    told = trainctl.show("r")["attempts"][0]["events"]
    assert [one["evidence"] for one in told if one["event"] == "unfinished"] == [
        "3 not sent to the store"
    ]


def test_pruning_a_run_by_hand_and_deleting_it_leaves_no_manifest(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "train.py", "--steps", "5", "--out", "out")
    out = trainctl.project / "out"
    planned = trainctl.ok("checkpoint", "prune", "r", "--keep-last", "1", "--json").data
    assert all("younger than an hour" in row["reasons"] for row in planned["checkpoints"])
    old = time.time() - DAY
    for path in out.iterdir():
        os.utime(path, (old, old))
    done = trainctl.ok("checkpoint", "prune", "out", "--keep-last", "1", "--yes")
    assert "removed 3 of 5" in done.err
    assert sorted(os.listdir(out)) == ["step_4.pt", "step_5.pt"]
    assert len(os.listdir(trainctl.state / "manifests")) == 2


def test_a_deleted_run_takes_the_manifests_of_what_lay_in_it(trainctl: CommandLine):
    save = (
        "import os, time\n"
        "path = os.path.join(os.environ['TRAINCTL_CHECKPOINT_DIR'], 'step-1.pt')\n"
        "open(path, 'w').write('x')\n"
    )
    trainctl.write("own.py", save)
    trainctl.ok("run", "--name", "r", "own.py")
    [name] = os.listdir(trainctl.state / "manifests")
    inside = Path(trainctl.run_folder("r"), "checkpoints/step-1.pt")
    trainctl.ok("checkpoint", "pin", str(inside))
    assert os.listdir(trainctl.state / "pins") == [name]
    trainctl.ok("delete", "--yes", "r")
    assert os.listdir(trainctl.state / "manifests") == []
    assert os.listdir(trainctl.state / "pins") == []
