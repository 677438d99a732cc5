"""`checkpoint list`: names first, in any folder, whatever lies there."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path

import pytest

from tests.fakes import checkpoints
from tests.unit.cli.conftest import Trainctl

SHAPES = {"w": (2, 2)}


def old(*paths: Path) -> None:
    """Changed long ago: what lies in them, and they themselves."""
    at = time.time() - 3600
    for root in paths:
        for folder, _, files in os.walk(root, topdown=False):
            for name in files:
                os.utime(os.path.join(folder, name), (at, at))
        os.utime(root, (at, at))


def names(answer: object) -> list[str]:
    return [row["name"] for row in answer.data["checkpoints"]]  # type: ignore[attr-defined]


def test_a_folder_that_nobody_has_seen_is_listed(project: Path, trainctl: Trainctl):
    checkpoints.trainer(project / "out/checkpoint-100", 100, best_metric=0.5)
    checkpoints.trainer(project / "out/checkpoint-200", 200)
    checkpoints.safetensors(project / "out/model.safetensors", SHAPES)
    old(project / "out")

    answer = trainctl("checkpoint", "list", "out")
    lines = answer.out.splitlines()
    assert answer.code == 0
    heads = "NAME STEP METRIC SIZE VERIFIED AGE FORMAT EPOCH PINNED WHERE COMPLETE"
    assert " ".join(lines[0].split()) == heads
    assert [line.split()[0] for line in lines[1:]] == [
        "model.safetensors",
        "checkpoint-200",
        "checkpoint-100",
    ]
    (row,) = [r for r in trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
        if r["name"] == "checkpoint-200"]  # fmt: skip
    assert (row["step"], row["epoch"], row["format"]) == (200, 2.0, "huggingface")
    assert (row["complete"], row["verified"], row["pinned"], row["where"]) == (
        True, False, False, "here",
    )  # fmt: skip
    assert row["files"] == 5


def test_a_second_list_tells_the_same_from_the_cache(project: Path, trainctl: Trainctl):
    for step in range(100, 1100, 100):
        checkpoints.trainer(project / f"out/checkpoint-{step}", step)
    old(project / "out")
    os.utime(project / "out")  # as a folder in which something was made just now
    first = trainctl("checkpoint", "list", "out", "--json")
    os.utime(project / "out", (1, 1))
    assert trainctl("checkpoint", "list", "out", "--json").out == first.out
    assert trainctl("checkpoint", "list", "out", "--json").out == first.out


def test_what_is_rewritten_in_place_is_looked_at_again(project: Path, trainctl: Trainctl):
    path = checkpoints.trainer(project / "out/checkpoint-1", 1)
    old(project / "out")
    assert trainctl("checkpoint", "list", "out", "--json").data["checkpoints"][0]["epoch"] == 0.01
    state = path / "trainer_state.json"
    was = os.stat(path)
    state.write_text(json.dumps({"global_step": 1, "epoch": 0.07, "log_history": []}))
    assert os.stat(path).st_mtime == was.st_mtime
    assert trainctl("checkpoint", "list", "out", "--json").data["checkpoints"][0]["epoch"] == 0.07


def test_a_path_that_is_a_checkpoint_is_listed_alone(project: Path, trainctl: Trainctl):
    checkpoints.trainer(project / "out/checkpoint-100", 100)
    checkpoints.safetensors(project / "out/final.safetensors", SHAPES)
    assert names(trainctl("checkpoint", "list", "out/checkpoint-100", "--json")) == [
        "checkpoint-100"
    ]
    assert names(trainctl("checkpoint", "list", "out/final.safetensors", "--json")) == [
        "final.safetensors"
    ]


def test_nothing_named_is_the_current_folder_where_no_run_is(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "step_7.safetensors", SHAPES)
    answer = trainctl("checkpoint", "list")
    assert "step_7.safetensors" in answer.out
    assert "the current folder" in answer.err


def test_the_reason_stands_where_one_is_not_complete(project: Path, trainctl: Trainctl):
    path = checkpoints.trainer(project / "out/checkpoint-9", 9)
    os.truncate(path / "model.safetensors", 30)
    old(project / "out")
    answer = trainctl("checkpoint", "list", "out")
    assert "no: " in answer.out
    assert "model.safetensors" in answer.out
    (row,) = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    assert row["complete"] is False
    assert row["why_incomplete"]


def test_what_a_clock_that_is_ahead_has_dated_is_complete(project: Path, trainctl: Trainctl):
    path = checkpoints.trainer(project / "out/checkpoint-100", 100)
    at = time.time() + 70 * 365 * 86_400
    for name in os.listdir(path):
        os.utime(path / name, (at, at))
    (row,) = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    assert row["complete"]


def test_a_link_that_leads_nowhere_is_shown_as_such(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "out/step-1.safetensors", SHAPES)
    old(project / "out")
    (project / "out/step-2.safetensors").symlink_to(project / "gone.safetensors")
    answer = trainctl("checkpoint", "list", "out")
    assert "leads nowhere" in answer.out
    assert "more" not in answer.out + answer.err
    rows = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    assert [(row["step"], row["complete"]) for row in rows] == [(2, False), (1, True)]


def test_the_best_stands_first_and_what_has_no_value_last(project: Path, trainctl: Trainctl):
    losses = {100: 0.9, 200: 0.3, 300: 0.5}
    for step, loss in losses.items():
        history = [{"eval_loss": loss, "step": step}]
        checkpoints.trainer(project / f"out/checkpoint-{step}", step, log_history=history)
    checkpoints.safetensors(project / "out/model.safetensors", SHAPES)
    answer = trainctl("checkpoint", "list", "out", "--best", "eval_loss", "--json")
    assert names(answer) == [
        "checkpoint-200", "checkpoint-300", "checkpoint-100", "model.safetensors",
    ]  # fmt: skip
    answer = trainctl("checkpoint", "list", "out", "--best", "eval_loss:max", "--limit", "1")
    assert "EVAL_LOSS" in answer.out
    assert answer.out.splitlines()[1].startswith("checkpoint-100")


def test_a_limit_counts_what_it_leaves_out(project: Path, trainctl: Trainctl):
    for step in range(30):
        checkpoints.safetensors(project / f"out/step_{step}.safetensors", SHAPES)
    answer = trainctl("checkpoint", "list", "out")
    assert len(answer.out.splitlines()) == 21
    assert "10 more" in answer.err
    assert len(trainctl("checkpoint", "list", "out", "--all").out.splitlines()) == 31


def test_deeper_than_four_folders_is_for_recursive(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "a/b/c/d/e/step_1.safetensors", SHAPES)
    answer = trainctl("checkpoint", "list", "a")
    assert (answer.code, answer.out) == (0, "")
    assert "--recursive" in answer.err
    assert names(trainctl("checkpoint", "list", "a", "-r", "--json")) == [
        "b/c/d/e/step_1.safetensors"
    ]


def test_names_that_a_terminal_would_obey_are_shown_harmless(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "out/a\nb\x1b[31m_1.safetensors", SHAPES)
    checkpoints.safetensors(Path(os.fsdecode(bytes(project) + b"/out/\xff_2.safetensors")), SHAPES)
    answer = trainctl("checkpoint", "list", "out")
    assert "\x1b" not in answer.out
    assert len(answer.out.splitlines()) == 3
    assert "\udcff_2.safetensors" in names(trainctl("checkpoint", "list", "out", "--json"))


def test_a_loop_of_links_a_pipe_and_a_broken_link_are_no_trouble(
    project: Path, trainctl: Trainctl
):
    checkpoints.safetensors(project / "out/step_1.safetensors", SHAPES)
    (project / "out/loop").symlink_to(project / "out")
    (project / "out/gone.pt").symlink_to(project / "nowhere")
    os.mkfifo(project / "out/pipe.pt")
    answer = trainctl("checkpoint", "list", "out", "-r", "--json")
    rows = {row["name"]: row for row in answer.data["checkpoints"]}
    assert rows["step_1.safetensors"]["complete"]
    assert rows["pipe.pt"]["why_incomplete"] == "it is neither a file nor a folder"
    assert rows["gone.pt"]["why_incomplete"] == "it is a link that leads nowhere"


def test_forty_gigabytes_of_nothing_are_listed_at_once(project: Path, trainctl: Trainctl):
    path = project / "out/step_1.pt"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(40_000_000_000)
    (row,) = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    assert row["size"] == 40_000_000_000
    assert not row["complete"]


def test_a_damaged_cache_is_made_anew(project: Path, trainctl: Trainctl, tmp_path: Path):
    checkpoints.trainer(project / "out/checkpoint-100", 100)
    old(project / "out")
    before = trainctl("checkpoint", "list", "out", "--json").out
    for file in (tmp_path / "state/catalogue").iterdir():
        file.write_bytes(b"\x00" * 50)
    assert trainctl("checkpoint", "list", "out", "--json").out == before


def test_the_nearest_names_are_offered(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "outputs/step_1.safetensors", SHAPES)
    answer = trainctl("checkpoint", "list", "outpus")
    assert answer.code == 4
    assert "did you mean outputs?" in answer.err
    answer = trainctl("checkpoint", "list", "outputs/step_2.safetensors")
    assert "outputs/step_1.safetensors" in answer.err


def test_a_metric_with_an_unknown_mode_is_refused(project: Path, trainctl: Trainctl):
    answer = trainctl("checkpoint", "list", "--best", "loss:least")
    assert answer.code == 2
    assert "METRIC:min" in answer.err


@pytest.mark.parametrize("sort", ["step", "age", "size", "name"])
def test_every_order_lists_the_same(project: Path, trainctl: Trainctl, sort: str):
    for step in (1, 2, 10):
        checkpoints.safetensors(project / f"out/step_{step}.safetensors", {"w": (step, 2)})
    listed = names(trainctl("checkpoint", "list", "out", "--sort", sort, "--json"))
    assert sorted(listed) == [f"step_{n}.safetensors" for n in (1, 10, 2)]
    if sort in ("step", "size"):
        assert listed[0] == "step_10.safetensors"


def test_a_metric_that_none_has_is_refused_with_those_there_are(project: Path, trainctl: Trainctl):
    history = [{"eval_loss": 0.5, "step": 1}]
    checkpoints.trainer(project / "out/checkpoint-1", 1, log_history=history)
    answer = trainctl("checkpoint", "list", "out", "--best", "eval_los")
    assert answer.code == 4
    assert "no checkpoint here has eval_los; they have eval_loss" in answer.err


def test_what_was_just_verified_is_complete_however_fresh(project: Path, trainctl: Trainctl):
    (project / "out").mkdir()
    (project / "out/step_1.npz").write_bytes(b"just now")
    checkpoints.trainer(project / "out/checkpoint-1", 1)
    before = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    assert "changed less than 2 s ago" in [row["why_incomplete"] for row in before]
    trainctl("checkpoint", "verify", "out/checkpoint-1")
    rows = trainctl("checkpoint", "list", "out", "--json").data["checkpoints"]
    (row,) = [row for row in rows if row["name"] == "checkpoint-1"]
    assert (row["complete"], row["verified"]) == (True, True)


def test_the_metric_is_called_by_its_own_name(project: Path, trainctl: Trainctl):
    pickled = pickle.dumps({"val_loss": 0.25, "step": 3}, protocol=2)
    checkpoints.torch_zip(project / "step-3.pt", pickled)
    (row,) = trainctl("checkpoint", "list", ".").out.splitlines()[1:]
    assert "val_loss 0.25" in row


@pytest.mark.parametrize(
    ("word", "meant"), [("show", "info"), ("ls", "list"), ("verfy", "verify")]
)
def test_another_word_for_a_command_is_understood(trainctl: Trainctl, word: str, meant: str):
    answer = trainctl("checkpoint", word)
    assert (answer.code, f"did you mean trainctl checkpoint {meant}?" in answer.err) == (2, True)


def test_without_a_command_there_is_help(trainctl: Trainctl):
    answer = trainctl("checkpoint")
    assert (answer.code, "Commands:" in answer.out, answer.err) == (0, True, "")
