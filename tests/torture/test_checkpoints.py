"""Kills at the writes of save, manifest, copy, push and prune: one can always be restored."""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import need
from tests.torture.board import Board
from tests.torture.strike import AT_ONCE, CALLS, Point, Tried, struck, under
from tests.torture.test_kills import strike
from tests.torture.yard import PATIENCE_SECONDS, PYTHON, Yard, prepare
from trainctl.kit import events, files, manifest
from trainctl.kit.names import Home, RunFolder
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore
from trainctl.platforms import kit_zip

KILL = "signal=SIGKILL"
SAVER = Path(__file__).with_name("saver.py")
CARELESS = Path(__file__).with_name("careless.py")
STEPS = 3
SHARE = 3  # of the kills that are asked for: each takes a second
pytestmark = pytest.mark.timeout(1800)


class Place:
    """A home, a run with a store in it, and the saver."""

    def __init__(self, folder: Path, *, store: bool) -> None:
        self.home = Home(str(folder / "home"))
        self.store = FolderStore(str(folder / "store"))
        self.run: RunFolder = prepare(self.home, "saved", ["true"])
        os.mkdir(self.run.attempt(1).path)
        changes: dict[str, Any] = {"retention": {"keep_last": 1}, "kept_bytes": 10**9}
        if store:
            changes.update(store={"url": self.store.url}, push="all")
        files.write_json(self.run.job, {**(files.read_json(self.run.job) or {}), **changes})
        self.trace = folder / "trace"
        kit = kit_zip.installed(self.home)
        self.words = [PYTHON, "-B", "-S", str(SAVER), kit, self.run.path, str(STEPS)]

    def go(self, words: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(words, capture_output=True, timeout=PATIENCE_SECONDS, check=False)

    def restorable(self) -> list[str]:
        """What really is whole, byte by byte: here, among the copies, in the store."""
        return [*whole_here(self.home, self.run), *whole_in(self.store, self.run.name)]

    def told_twice(self) -> list[str]:
        """What was done twice that should be done once."""
        return told_twice(events.read(self.run.attempt(1).checkpoints).records)


def whole_here(home: Home, run: RunFolder) -> Iterator[str]:
    for path in Path(home.manifests).glob("[!.]*.json"):
        try:
            filed = manifest.decode(path.read_bytes())
        except FileNotFoundError:  # another run's agent has just pruned it
            continue
        if filed is None or not filed.path.startswith(run.path + os.sep):
            continue
        if not manifest.check(filed, filed.path):
            yield filed.path


def whole_in(store: FolderStore, run: str) -> Iterator[str]:
    for one in shelf.shelved(store, run):
        filed = shelf.read_manifest(store, one.key)
        path = os.path.join(store.url, one.key, "data", os.path.basename(filed.path))
        if not manifest.check(filed, path):
            yield path


def told_twice(records: list[dict[str, Any]]) -> list[str]:
    """Versions that were verified, pushed or removed more than once."""
    once = {"verified", "pushed", "pruned", "kept", "gone"}
    seen = Counter(
        (record["event"], record.get("path"), record.get("key"), record.get("id"))
        for record in records
        if record["event"] in once
    )
    return [str(what) for what, count in seen.items() if count > 1]


def points(folder: Path, *, store: bool) -> list[Point]:
    """Every write that the saver makes when nobody strikes."""
    place = Place(folder, store=store)
    words = ["strace", "-q", "-o", str(place.trace), "-e", f"trace={','.join(CALLS)}"]
    done = place.go([*words, *place.words])
    assert done.returncode == 0, done.stderr.decode()
    calls = re.findall(r"^(\w+)\(", place.trace.read_text(errors="replace"), re.MULTILINE)
    return [Point(call, n) for call, many in Counter(calls).items() for n in range(1, many + 1)]


def strike_once(folder: Path, point: Point, *, store: bool) -> Tried:
    """Killed there; what can be restored then; and once it has gone on to its end."""
    place = Place(folder / f"{point.call}-{point.number}", store=store)
    done = place.go(under(place.words, KILL, point, place.trace))
    hit = struck(place.trace)
    if b"verified" in done.stdout and not place.restorable():
        return Tried(hit, "nothing can be restored")
    after = place.go(place.words)
    if after.returncode != 0:
        return Tried(hit, f"it does not go on: {after.stderr.decode()[-300:]}")
    left = place.restorable()
    twice = place.told_twice()
    here = sum(path.startswith(place.run.checkpoints) for path in left)
    if here < 2 or (store and len(left) < 4):
        return Tried(hit, f"too little is left: {left}")
    return Tried(hit, f"told twice: {twice}" if twice else "")


@need.tool("strace")
@pytest.mark.parametrize("store", [True, False], ids=["store", "copies"])
def test_after_a_kill_at_any_write_one_can_be_restored(
    store: bool, tmp_path: Path, board: Board, kills: int
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    everywhere = points(tmp_path / "all", store=store)
    some = random.Random(seed).sample(everywhere, min(kills // SHARE, len(everywhere)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = list(pool.map(lambda p: strike_once(tmp_path, p, store=store), some))
    bad = {point: one.bad for point, one in zip(some, tried, strict=True) if one.bad}
    for point, said in bad.items():
        print(f"seed {seed}: {point.call} {point.number} of {len(everywhere)} points: {said}")
    doubled = sum("twice" in said for said in bad.values())
    injected = sum(one.struck for one in tried)
    what = "SIGKILL at a write of save, manifest, push, prune"
    what = what if store else "SIGKILL at a write of save, manifest, copy, prune"
    board.note(what, injected=injected, lost=len(bad) - doubled, doubled=doubled)


SAVES = 12
SAVING_SECONDS = 6.0


def kill_agents(yard: Yard, name: str, seed: int) -> tuple[int, str]:
    """How many kills struck a run that saves and pushes, and what is bad about it at its end."""
    randomness = random.Random(seed)
    store = FolderStore(str(yard.folder / "store"))
    trainer = [PYTHON, "-I", "-S", str(CARELESS), str(SAVES), str(SAVING_SECONDS)]
    yard.call("run", "-d", "--name", name, "--store", store.url, *trainer)
    run, struck = yard.run(name), 0
    until = time.monotonic() + SAVING_SECONDS
    while time.monotonic() < until:
        time.sleep(randomness.uniform(0.9, 1.6))  # a scan comes a second after an agent's start
        verified = any(record["event"] == "verified" for record in _saved(run))
        struck += strike(yard, name, "watch")
        if verified and not [*whole_here(yard.home, run), *whole_in(store, name)]:
            return struck, "nothing can be restored"
        yard.next_command()
    yard.settled(name)
    return struck, _badly_kept(run, yard.home, store)


def _saved(run: RunFolder) -> list[dict[str, Any]]:
    return events.read(run.attempt(1).checkpoints).records


def _badly_kept(run: RunFolder, home: Home, store: FolderStore) -> str:
    """What of all its steps has no manifest that holds, or is not in the store; what was twice."""
    names = {f"step-{step}.safetensors" for step in range(1, SAVES + 1)}
    inside = run.checkpoints + os.sep
    here = {os.path.basename(path) for path in whole_here(home, run) if path.startswith(inside)}
    there = {os.path.basename(path) for path in whole_in(store, run.name)}
    twice = told_twice(_saved(run))
    if twice:
        return f"told twice: {twice}"
    return f"without: {names - here} here, {names - there} in the store" * (
        not names <= here & there
    )


def test_killed_agents_leave_no_checkpoint_unhashed_or_unsent(
    yard: Yard, board: Board, kills: int
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    runs = max(4, kills // 12)
    with ThreadPoolExecutor(4) as pool:
        names = [f"careless-{number}" for number in range(runs)]
        seeds = [seed + number for number in range(runs)]
        outcomes = list(pool.map(kill_agents, [yard] * runs, names, seeds))
    bad = [f"seed {seed}: {said}" for seed, (_, said) in zip(seeds, outcomes, strict=True) if said]
    print("\n".join(bad))
    injected = sum(struck for struck, _ in outcomes)
    doubled = sum("twice" in said for said in bad)
    board.note(
        "SIGKILL of an agent that hashes and pushes",
        injected=injected,
        lost=len(bad) - doubled,
        doubled=doubled,
    )
