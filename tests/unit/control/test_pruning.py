"""Pruning while others pin and remove: what holds is asked again right before each goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.checkpoint.test_prune import OLD, names, save
from trainctl.control import checkpoints, pruning
from trainctl.control.checkpoints import Ground
from trainctl.control.pruning import Outcome, Plan
from trainctl.kit import guards, manifest, pins
from trainctl.kit.manifest import About
from trainctl.kit.names import Home
from trainctl.kit.retention import Policy
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    environ = {"HOME": str(tmp_path), "TRAINCTL_HOME": str(tmp_path / "state")}
    (tmp_path / "state").mkdir(mode=0o700)
    for step in range(1, 6):
        path = save(tmp_path / f"out/step-{step}.safetensors", OLD + step)
        made = manifest.make(str(path), About("made", 1, step))
        manifest.write(Home(f"{tmp_path}/state").manifests, made)
    return checkpoints.ground(str(tmp_path), environ)


def planned(ground: Ground, where: str) -> Plan:
    return pruning.plan(ground, checkpoints.resolve(ground, where), Policy(keep_last=1))


def steps(outcomes: list[Outcome]) -> list[int | None]:
    return [one.judged.kept.step for one in outcomes]


def test_what_is_pinned_after_the_plan_stays_and_is_no_failure(ground: Ground, tmp_path: Path):
    plan = planned(ground, "out")

    def pin(outcome: Outcome) -> None:
        if outcome.judged.kept.step == 3:
            pins.pin(ground.home.pins, str(tmp_path / "out/step-2.safetensors"))

    done = pruning.carry_out(plan, pin)

    assert steps(done) == [3, 2, 1]
    assert [(one.why, one.is_held) for one in done] == [("", False), ("pinned", True), ("", False)]
    assert names(tmp_path / "out") == ["step-2", "step-4", "step-5"]


def test_what_a_living_run_has_begun_with_since_the_plan_stays(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = planned(ground, "out")

    def used(_: Home, paths: list[str]) -> guards.Reasons:
        return {path: ["heir lives and began with it"] * ("step-1" in path) for path in paths}

    monkeypatch.setattr(guards, "by_use", used)
    done = pruning.carry_out(plan, lambda _: None)

    assert [one.why for one in done if one.is_held] == ["heir lives and began with it"]
    assert names(tmp_path / "out") == ["step-1", "step-4", "step-5"]


def test_in_a_store_too_a_pin_that_was_set_since_the_plan_holds(ground: Ground, tmp_path: Path):
    store = FolderStore(str(tmp_path / "store"))
    for step in range(1, 6):
        path = str(tmp_path / f"out/step-{step}.safetensors")
        shelf.push(store, manifest.make(path, About("made", 1, step))._replace(made=OLD + step))
    plan = planned(ground, "store")
    shelf.pin(store, plan.doomed[-1].place)

    done = pruning.carry_out(plan, lambda _: None)

    assert [(one.why, one.is_held) for one in done] == [("", False), ("", False), ("pinned", True)]
    assert [one.step for one in shelf.shelved(store, "made")] == [1, 4, 5]


def test_two_that_prune_the_same_at_once_both_succeed(ground: Ground, tmp_path: Path):
    first, second = planned(ground, "out"), planned(ground, "out")

    assert [one.why for one in pruning.carry_out(first, lambda _: None)] == [""] * 3
    assert [one.why for one in pruning.carry_out(second, lambda _: None)] == [""] * 3
    assert names(tmp_path / "out") == ["step-4", "step-5"]
