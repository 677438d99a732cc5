"""What is moved out of a framework's own way, and what is left where it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.kit.test_choosing import Bench, flip, keep
from trainctl.kit import aside, checkpoints, manifest, pins
from trainctl.kit.manifest import About

TORN = b"PK\x03\x04"
SWITCH: dict[str, Any] = {"mode": "auto", "args": ["--resume"]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.save("step_1.pt", 100)
    return made


def make(bench: Bench, resume: dict[str, Any] | None = None) -> aside.Way:
    return aside.make(bench.run, resume or SWITCH, bench.choose())


def there(bench: Bench) -> list[str]:
    return sorted(os.listdir(bench.out))


def test_a_torn_one_is_set_aside_where_the_script_finds_the_newest_by_itself(bench: Bench):
    bench.save("step_2.pt", 200, TORN)
    way = make(bench)

    assert there(bench) == [".step_2.pt.set-aside", "step_1.pt"]
    assert way.path == str(bench.out / "step_1.pt")
    assert ".step_2.pt.set-aside" in way.told[0]
    assert len(checkpoints.scan([str(bench.out)])) == 1


def test_a_second_one_of_the_same_name_gets_another(bench: Bench):
    for at in (200, 300):
        bench.save("step_2.pt", at, TORN)
        make(bench)

    assert there(bench) == [".step_2.pt.set-aside", ".step_2.pt.set-aside-2", "step_1.pt"]


def test_folders_are_set_aside_whole(bench: Bench):
    bench.save("checkpoint-2/model.pt", 200, TORN)
    make(bench)

    assert (bench.out / ".checkpoint-2.set-aside" / "model.pt").read_bytes() == TORN


@pytest.mark.parametrize(
    "resume",
    [
        {"mode": "auto", "args": ["--resume", "{checkpoint}"]},
        {"mode": "auto", "args": ["--resume", "--ckpt={checkpoint}"]},
        {"mode": "auto", "args": []},
    ],
)
def test_a_script_that_is_told_a_path_needs_no_way_made(bench: Bench, resume: dict[str, Any]):
    bench.save("step_2.pt", 200, TORN)

    assert make(bench, resume).told == []
    assert there(bench) == ["step_1.pt", "step_2.pt"]


def test_a_script_that_was_seen_to_look_for_itself_needs_no_switch(bench: Bench):
    bench.save("step_2.pt", 200, TORN)
    make(bench, {"mode": "auto", "args": [], "finds": True})

    assert "step_2.pt" not in there(bench)


def test_what_another_run_wrote_is_left(bench: Bench):
    bench.save("step_2.pt", 200, TORN, run="other")

    assert make(bench).told == []
    assert "step_2.pt" in there(bench)


def test_what_is_pinned_is_left(bench: Bench):
    pins.pin(bench.home.pins, str(bench.save("step_2.pt", 200, TORN)))

    assert "since it is pinned" in make(bench).told[0]


def test_what_a_link_leads_to_is_left(bench: Bench):
    bench.save("step_2.pt", 200, TORN)
    (bench.out / "last.ckpt").symlink_to("step_2.pt")
    told = make(bench).told

    assert "since a link leads to it" in told[0]
    assert "step_2.pt" in there(bench)


def test_what_appeared_elsewhere_while_no_attempt_ran_is_left(bench: Bench):
    bench.save("sub/step_2.pt", 200)
    bench.note(bench.run.attempt(1).checkpoints)
    bench.save("sub/step_2.pt", 950, TORN)

    assert "nobody knows" in make(bench).told[0]


def test_what_was_torn_beside_the_chosen_one_is_set_aside_whenever_it_was(bench: Bench):
    bench.save("step_2.pt", 200)
    bench.note(bench.run.attempt(1).checkpoints)
    bench.save("step_2.pt", 950, TORN)
    make(bench)

    assert "step_2.pt" not in there(bench)


def test_a_kept_copy_takes_the_place_of_the_torn_original(bench: Bench):
    (bench.out / "step_1.pt").unlink()
    original = bench.save("last.pt", 100)
    whole = original.read_bytes()
    noted = bench.run.attempt(1).checkpoints
    keep(bench, original, 100)
    bench.note(noted)
    bench.save("last.pt", 200, TORN)
    way = make(bench)

    assert way.path == str(original)
    assert original.read_bytes() == whole
    assert (bench.out / ".last.pt.set-aside").read_bytes() == TORN
    filed = manifest.read(bench.home.manifests, str(original))
    assert filed is not None
    assert filed.about == About("base", 1, 10)
    assert manifest.stands(filed, str(original))


LAST: dict[str, Any] = {"mode": "auto", "args": [], "names": ["last.pt"]}


def cut(bench: Bench) -> Path:
    """A last.pt that was cut off while it was written again, after that of step 1."""
    return bench.save("last.pt", 200, TORN)


def test_a_script_that_loads_it_by_name_gets_a_copy_of_it_in_its_place(bench: Bench):
    original = bench.save("last.pt", 90)
    whole = original.read_bytes()
    keep(bench, original, 90, step=0)
    bench.note(bench.run.attempt(1).checkpoints)
    cut(bench)
    assert bench.chosen() == "step_1.pt"
    way = make(bench, LAST)

    assert way.path == str(original)
    assert original.read_bytes() == whole
    assert ".last.pt.set-aside" in there(bench)
    assert "is copied to" in way.told[1]


def test_where_no_copy_is_kept_it_begins_without_and_that_is_said(bench: Bench):
    cut(bench)
    way = make(bench, LAST)

    assert way.path is None
    assert there(bench) == [".last.pt.set-aside", "step_1.pt"]
    assert "no copy of last.pt is kept" in way.told[1]


def test_a_copy_that_is_damaged_takes_no_place(bench: Bench):
    original = bench.save("last.pt", 90)
    copy = keep(bench, original, 90, step=0)
    bench.note(bench.run.attempt(1).checkpoints)
    cut(bench)
    flip(copy)

    assert make(bench, LAST).path is None
    assert not original.exists()


def test_what_it_does_not_call_by_name_is_left(bench: Bench):
    cut(bench)
    way = make(bench, {**LAST, "names": ["data.pt"]})

    assert way == (str(bench.out / "step_1.pt"), [])
    assert "last.pt" in there(bench)


def test_one_that_is_told_a_path_keeps_what_it_could_call_by_name(bench: Bench):
    cut(bench)

    assert make(bench, {**LAST, "args": ["--resume", "{checkpoint}"]}).told == []


@pytest.mark.parametrize(
    ("tracker", "text", "now"),
    [
        ("latest_checkpointed_iteration.txt", "20\n", "10"),
        ("latest", "iter_0000020", "iter_0000010"),
        ("last_checkpoint", "iter_0000020", "iter_0000010"),
        ("latest_checkpointed_iteration.txt", "release", "release"),
        ("latest", "global_step99", "global_step99"),
    ],
)
def test_a_tracker_follows(bench: Bench, tracker: str, text: str, now: str):
    bench.save("iter_0000010/model.pt", 200)
    bench.save("iter_0000020/model.pt", 300, TORN)
    (bench.out / tracker).write_text(text)
    make(bench)

    assert (bench.out / tracker).read_text() == now
