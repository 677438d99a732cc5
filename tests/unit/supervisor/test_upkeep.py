"""What the agent does about checkpoints, in this process: hash, copy, send, prune, begin again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torture.yard import PYTHON, prepare, wait_for
from trainctl.kit import checkpoints, events, manifest, pins, process
from trainctl.kit.checkpoints import Found
from trainctl.kit.manifest import About
from trainctl.kit.names import Home, RunFolder
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore
from trainctl.supervisor import pruning, upkeep
from trainctl.supervisor.upkeep import Upkeep

OLD = time.time() - 7200


class Ground:
    """A run whose trainer is this test; each `agent` is one that begins anew."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(str(folder / "home"))
        self.store = FolderStore(str(folder / "store"))
        self.run: RunFolder = prepare(self.home, "kept", ["true"])
        self.job: dict[str, Any] = {"kept_bytes": 10**9}
        self.agents: list[Upkeep] = []
        os.mkdir(self.run.attempt(1).path)

    def with_store(self, push: str = "all", **more: Any) -> None:
        self.job.update(store={"url": self.store.url}, push=push, **more)

    def save(self, name: str, text: str = "x", at: float | None = None) -> str:
        path = os.path.join(self.run.checkpoints, name)
        Path(path).write_text(text)
        if at is not None:
            os.utime(path, (at, at))
        return path

    def agent(self) -> Upkeep:
        made = Upkeep(self.run, self.job)
        made.follow(1)
        self.agents.append(made)
        return made

    def look(self, agent: Upkeep) -> None:
        found = checkpoints.scan([self.run.checkpoints])
        agent.look([one for one in found if not agent.ledger.knows(one)])

    def settle(self, agent: Upkeep) -> None:
        """Look, and wait until every thread is done."""
        self.look(agent)
        wait_for(lambda: agent._hasher.is_idle)
        wait_for(lambda: agent._mover.is_idle)

    def whole(self, *, last: bool = True) -> Upkeep:
        """One agent's life: a look, and the end."""
        agent = self.agent()
        self.look(agent)
        agent.finish(lambda: True, last=last)
        return agent

    def told(self, event: str) -> list[dict[str, Any]]:
        records = events.read(self.run.attempt(1).checkpoints).records
        return [record for record in records if record["event"] == event]

    def names(self, event: str) -> list[str]:
        return [os.path.basename(str(record["path"])) for record in self.told(event)]

    def filed(self, path: str) -> manifest.Manifest | None:
        return manifest.read(self.home.manifests, path)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    yield made
    for agent in made.agents:
        agent._hasher.stop(5)
        agent._mover.stop(5)


def test_each_checkpoint_gets_a_manifest_that_tells_where_it_is_from(ground: Ground):
    Path(ground.run.attempt(1).metrics).write_text(
        '{"step": 5, "loss": 2}\n{"step": 9, "loss": 1}'
    )
    path = ground.save("step-7-acc=0.5.pt")
    ground.whole()
    filed = ground.filed(path)
    assert filed is not None
    assert manifest.check(filed, path) == []
    about = filed.about
    assert (about.run, about.attempt, about.step) == ("kept", 1, 7)
    assert about.metrics == {"loss": 2.0, "acc": 0.5}
    assert ground.told("verified")[0]["id"] == filed.id


def test_an_agent_that_begins_anew_does_nothing_twice(ground: Ground):
    ground.with_store()
    for step in range(3):
        ground.save(f"step-{step}.pt", str(step))
    ground.whole()
    before = events.read(ground.run.attempt(1).checkpoints).records
    assert len(ground.told("pushed")) == 3
    ground.whole()
    assert events.read(ground.run.attempt(1).checkpoints).records == before


def test_a_manifest_that_was_filed_and_not_told_is_only_told(ground: Ground):
    path = ground.save("step-1.pt")
    ground.whole()
    made = os.stat(os.path.join(ground.home.manifests, f"{manifest.key_of(path)}.json"))
    log = Path(ground.run.attempt(1).checkpoints)
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:1]))
    ground.whole()
    again = os.stat(os.path.join(ground.home.manifests, f"{manifest.key_of(path)}.json"))
    assert (len(ground.told("verified")), again.st_ino) == (1, made.st_ino)


def test_what_another_run_has_hashed_is_not_taken_over(ground: Ground):
    path = ground.save("step-1.pt")
    theirs = manifest.make(path, About("other", 1, 1))
    manifest.write(ground.home.manifests, theirs)
    ground.whole()
    assert ground.filed(path) == theirs
    assert ground.told("checkpoint") == []


def test_nor_what_it_hashes_after_it_was_seen(ground: Ground):
    path = ground.save("step-1.pt")
    agent = ground.agent()
    agent._hasher.stop(5)
    ground.look(agent)
    theirs = manifest.make(path, About("other", 1, 1))
    manifest.write(ground.home.manifests, theirs)
    ground.whole()
    assert ground.filed(path) == theirs
    assert ground.told("verified") == []


def test_what_its_trainer_removes_loses_its_manifest(ground: Ground):
    path = ground.save("checkpoint-1")
    agent = ground.agent()
    ground.settle(agent)
    os.unlink(path)
    ground.settle(agent)
    assert ground.names("gone") == ["checkpoint-1"]
    assert os.listdir(ground.home.manifests) == []
    assert agent.ledger.all() == []


@pytest.mark.skipif(sys.platform != "linux", reason="not run: needs /proc")
def test_what_somebody_writes_to_is_hashed_later(ground: Ground):
    path = ground.save("step-1.pt")
    hold = "import sys\nwith open(sys.argv[1], 'ab') as f:\n print(flush=True)\n sys.stdin.read()"
    command = [PYTHON, "-c", hold, path]
    environ = {process.RUN_MARK: ground.run.path}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        agent = ground.agent()
        ground.look(agent)
        wait_for(lambda: agent.ledger.all()[0].due > 0)
        assert ground.told("verified") == []
        writer.communicate()
    wait_for(lambda: ground.told("verified"))


def test_what_cannot_be_read_is_said_and_given_up(ground: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainctl.supervisor.verifying.LATER_SECONDS", 0.01)
    os.mkdir(os.path.join(ground.run.checkpoints, "checkpoint-1"))
    os.mkfifo(os.path.join(ground.run.checkpoints, "checkpoint-1", "pipe"))
    ground.settle(ground.agent())
    assert "neither a file nor a folder" in ground.told("unverified")[0]["why"]


def test_an_overwritten_checkpoint_is_kept_twice(ground: Ground):
    agent = ground.agent()
    path = os.path.join(ground.run.checkpoints, "last.pt")
    for number in range(4):
        ground.save("last.pt", f"content {number}")
        ground.settle(agent)
    kept = {name: Path(ground.run.kept, name, "last.pt") for name in os.listdir(ground.run.kept)}
    assert sorted(one.read_text() for one in kept.values()) == ["content 2", "content 3"]
    for copy in kept.values():
        filed = ground.filed(str(copy))
        assert filed is not None
        assert manifest.stands(filed, str(copy))
    agent.finish(lambda: True, last=True)
    assert Path(path).read_text() == "content 3"
    assert [one.read_text() for one in kept.values() if one.exists()] == ["content 2"]


def test_a_folder_is_kept_with_all_in_it(ground: Ground):
    folder = Path(ground.run.checkpoints, "checkpoint-1")
    agent = ground.agent()
    for number in range(2):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "deep/model.bin").write_bytes(os.urandom(1000))
        (folder / "state.json").write_text(str(number))
        ground.settle(agent)
    [kept] = Path(ground.run.kept).iterdir()
    assert (kept / "checkpoint-1/state.json").read_text() == "1"
    assert kept.name.startswith("1-")


def test_nothing_is_copied_where_others_can_be_restored(ground: Ground):
    agent = ground.agent()
    for number in range(3):
        ground.save(f"step-{number}.pt", str(number))
        ground.settle(agent)
    ground.save("last.pt", "the same")
    ground.settle(agent)
    assert ground.told("kept") == []


def test_copies_that_do_not_fit_are_said_once(ground: Ground):
    ground.job["kept_bytes"] = 5
    agent = ground.agent()
    for number in range(3):
        ground.save("last.pt", f"content {number}")
        ground.settle(agent)
    assert ["kept_limit" in one["why"] for one in ground.told("not_kept")] == [True]


def test_a_copy_leaves_the_disk_its_reserve(ground: Ground):
    ground.job["disk_warn_bytes"] = 1e18
    agent = ground.agent()
    ground.save("last.pt")
    ground.settle(agent)
    assert "bytes free" in ground.told("not_kept")[0]["why"]


def test_what_the_store_holds_needs_no_copy(ground: Ground):
    ground.with_store()
    agent = ground.agent()
    for number in range(3):
        ground.save("last.pt", f"content {number}")
        ground.settle(agent)
    assert len(shelf.shelved(ground.store, "kept")) == 3
    assert os.listdir(ground.run.kept) == []


@pytest.mark.parametrize(
    ("push", "sent"),
    [
        ("all", [0, 1, 2, 3, 4]),
        ("every 3", [0, 3, 4]),  # and the last, at the end
        ("best", [2]),
        ("off", []),
    ],
)
def test_what_is_asked_for_is_sent(ground: Ground, push: str, sent: list[int]):
    losses = [5, 4, 1, 2, 3]
    ground.with_store(push)
    agent = ground.agent()
    agent._mover.stop(1)  # so that `best` is judged of all
    for step, loss in enumerate(losses):
        ground.save(f"step-{step}-loss={loss}.pt", str(step))
        ground.look(agent)
        wait_for(lambda: agent._hasher.is_idle and not agent._verifier.pending())
    ground.whole()
    assert [one.step for one in shelf.shelved(ground.store, "kept")] == sent


def test_a_store_that_fails_is_told_once_and_what_is_left_at_the_end(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("trainctl.supervisor.sending.HURRIED_SECONDS", 0.01)
    Path(ground.store.url).write_text("no folder")
    ground.with_store()
    for step in range(2):
        ground.save(f"step-{step}.pt", str(step))
    ground.whole()
    assert len(ground.told("push_failed")) == 1
    left = events.read(ground.run.attempt(1).events).records[-1]
    assert (left["event"], left["evidence"]) == ("unfinished", "2 not sent to the store")
    os.unlink(ground.store.url)
    ground.whole()
    assert len(shelf.shelved(ground.store, "kept")) == 2


def test_nobody_waits_for_what_nobody_wants(ground: Ground):
    ground.with_store()
    ground.save("step-1.pt")
    agent = ground.agent()
    agent._hasher.stop(1)
    ground.look(agent)
    agent.finish(lambda: False, last=True)
    left = events.read(ground.run.attempt(1).events).records[-1]
    assert left["evidence"] == "1 not hashed"


def test_what_no_rule_keeps_is_removed_here_and_in_the_store(ground: Ground):
    ground.with_store(retention={"keep_last": 1})
    saved = [ground.save(f"step-{n}.pt", str(n), OLD + n) for n in range(6)]
    pins.pin(ground.home.pins, saved[0])
    agent = ground.agent()
    ground.look(agent)
    agent.finish(lambda: True, last=True)
    assert sorted(os.listdir(ground.run.checkpoints)) == ["step-0.pt", "step-4.pt", "step-5.pt"]
    assert len(os.listdir(ground.home.manifests)) == 3
    assert all("keep_last 1" in one["why"] for one in ground.told("pruned"))
    assert [one["step"] for one in ground.told("pruned")] == [1, 2, 3]
    made = [one.made for one in shelf.shelved(ground.store, "kept")]
    assert len(made) == 6  # there, they are younger than an hour


def test_a_removal_that_was_said_and_not_done_is_said_once(ground: Ground):
    ground.job["retention"] = {"keep_last": 1}
    for number in range(3):
        ground.save(f"step-{number}.pt", str(number), OLD + number)
    first = ground.agent()
    first._mover.stop(1)
    ground.look(first)
    wait_for(lambda: len(ground.told("verified")) == 3)
    oldest = first.ledger.all()[0]
    told = {"path": oldest.path, "id": oldest.id, "size": 1, "why": "no rule keeps it"}
    first.ledger.write("pruned", told)
    ground.whole()
    assert sorted(os.listdir(ground.run.checkpoints)) == ["step-1.pt", "step-2.pt"]
    assert (len(ground.told("pruned")), ground.told("gone")) == (1, [])


def test_what_is_pinned_while_others_are_removed_stays(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
):
    ground.job["retention"] = {"keep_last": 1}
    for number in range(4):
        ground.save(f"step-{number}.pt", str(number), OLD + number)
    remove = pruning.removing.remove

    def and_pin_the_next(manifests: str, found: Found) -> None:
        remove(manifests, found)
        pins.pin(ground.home.pins, os.path.join(ground.run.checkpoints, "step-1.pt"))

    monkeypatch.setattr(pruning.removing, "remove", and_pin_the_next)
    ground.whole()
    assert sorted(os.listdir(ground.run.checkpoints)) == ["step-1.pt", "step-2.pt", "step-3.pt"]
    assert [one["step"] for one in ground.told("pruned")] == [0]


def test_what_is_not_sent_yet_is_not_removed(ground: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainctl.supervisor.sending.HURRIED_SECONDS", 0.01)
    Path(ground.store.url).write_text("no folder")
    ground.with_store(retention={"keep_last": 1})
    for number in range(4):
        ground.save(f"step-{number}.pt", str(number), OLD + number)
    ground.whole()
    assert len(os.listdir(ground.run.checkpoints)) == 4


def test_pruning_keeps_its_own_pace(ground: Ground):
    ground.job["retention"] = {"keep_last": 1}
    agent = ground.agent()
    assert agent._pruner.is_due()
    agent._pruner.prune()
    assert not agent._pruner.is_due()
    assert pruning.PAUSE_SECONDS >= 60


def test_an_attempt_knows_what_it_went_on_from(ground: Ground):
    from trainctl.kit import launch

    path = ground.save("step-1.pt")
    ground.whole()
    filed = ground.filed(path)
    assert filed is not None
    plan = launch.read(ground.run, 1)
    assert plan is not None
    plan._replace(resumed_from=path).write(ground.run, 2)
    os.mkdir(ground.run.attempt(2).path)
    ground.agent().follow(2)
    second = ground.agent()
    second.follow(2)
    ground.save("step-2.pt", "more")
    ground.look(second)
    second.finish(lambda: True, last=True)
    later = ground.filed(os.path.join(ground.run.checkpoints, "step-2.pt"))
    assert later is not None
    assert (later.about.attempt, later.about.parent) == (2, filed.id)
    names = [one["event"] for one in events.read(ground.run.attempt(2).checkpoints).records]
    assert names.count("continues") == 1


def test_a_retry_waits_for_the_newest_and_leaves_the_rest_to_its_successor(ground: Ground):
    ground.with_store()
    ground.save("step-1.pt")
    agent = ground.whole(last=False)
    assert ground.names("verified") == ["step-1.pt"]
    agent.follow(1)
    ground.settle(agent)
    assert ground.names("pushed") == ["step-1.pt"]
    assert upkeep.HASH_SECONDS < upkeep.SEND_SECONDS


def test_for_the_best_by_a_metric_that_none_has_nothing_goes_and_that_is_said(ground: Ground):
    ground.job["retention"] = {"keep_best": "1:los:min"}
    for number in range(6):
        ground.save(f"step-{number}.pt", str(number), OLD + number)
    agent = ground.agent()
    ground.look(agent)
    agent.finish(lambda: True, last=True)
    assert len(os.listdir(ground.run.checkpoints)) == 6
    (said,) = ground.told("prune_failed")
    assert said["why"].startswith("no checkpoint here has los")
    assert said["why"].endswith("nothing is removed")
