"""`checkpoint info` and `diff`: what is in them, without loading them."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import checkpoints
from tests.unit.cli.conftest import Trainctl
from trainctl.kit import manifest
from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore

LAYERS = {f"net.{n}.{name}": shape for n in range(6) for name, shape in
    (("weight", (4, 4)), ("bias", (4,)))}  # fmt: skip
SYSTEM = b"cposix\nsystem\n(S'touch owned'\ntR."  # os.system("touch owned")


def test_it_tells_step_tensors_modules_and_how_to_go_on(project: Path, trainctl: Trainctl):
    path = checkpoints.trainer(project / "out/checkpoint-100", 100)
    checkpoints.safetensors(path / "model.safetensors", LAYERS)
    for file in path.iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    answer = trainctl("checkpoint", "info", "out/checkpoint-100")
    told = {line[:12].strip(): line[13:] for line in answer.out.splitlines() if line[:12].strip()}
    assert answer.code == 0
    assert told["format"].startswith("huggingface")
    assert told["at"] == "step 100 · epoch 1"
    assert told["parameters"] == "120 of float32"
    assert told["complete"] == "yes"
    assert told["verified"].startswith("not yet: trainctl checkpoint verify out/checkpoint-100")
    assert told["resume"] == "trainctl checkpoint resume out/checkpoint-100 train.py"
    assert "net.0..5  x6" in answer.out


def test_all_tensors_are_told_when_asked_for(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "a.safetensors", LAYERS)
    answer = trainctl("checkpoint", "info", "a.safetensors", "--tensors")
    assert all(name in answer.out for name in LAYERS)
    data = trainctl("checkpoint", "info", "a.safetensors", "--tensors", "--json").data
    assert {t["name"]: tuple(t["shape"]) for t in data["tensors"]} == LAYERS
    assert data["parameters"] == 120
    assert "tensors" not in trainctl("checkpoint", "info", "a.safetensors", "--json").data


def test_what_runs_code_is_told_and_not_run(project: Path, trainctl: Trainctl):
    checkpoints.torch_zip(project / "evil.pt", SYSTEM)
    answer = trainctl("checkpoint", "info", "evil.pt")
    assert "runs code when loaded: posix.system" in answer.out
    data = trainctl("checkpoint", "info", "evil.pt", "--json").data
    assert data["verdict"] == "runs code when loaded"
    assert data["foreign"] == ["posix.system"]
    assert not (project / "owned").exists()


def test_a_name_that_needs_quotes_is_quoted_in_commands(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "my model.safetensors", LAYERS)
    out = trainctl("checkpoint", "info", "my model.safetensors").out
    (line,) = [line for line in out.splitlines() if line.startswith("resume ")]
    assert shlex.split(line)[-2] == "my model.safetensors"


def test_a_folder_of_checkpoints_is_not_one(project: Path, trainctl: Trainctl):
    for step in (1, 2):
        checkpoints.safetensors(project / f"out/step_{step}.safetensors", LAYERS)
    answer = trainctl("checkpoint", "info", "out")
    assert answer.code == 2
    assert "2 checkpoints" in answer.err
    assert "trainctl checkpoint list out" in answer.err


def test_what_is_truncated_is_malformed_and_says_so(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", LAYERS)
    os.truncate(path, path.stat().st_size - 8)
    data = trainctl("checkpoint", "info", "a.safetensors", "--json").data
    assert data["complete"] is False
    assert data["findings"] or data["why_incomplete"]


def test_bytes_of_nothing_are_opaque_and_no_error(project: Path, trainctl: Trainctl):
    (project / "x.pt").write_bytes(os.urandom(5000))
    assert trainctl("checkpoint", "info", "x.pt").code == 0
    (project / "empty.pt").touch()
    assert trainctl("checkpoint", "info", "empty.pt").code == 0


def test_a_terminal_is_not_told_what_a_name_wants_it_to_do(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(
        project / "a.safetensors", {"evil\x1b[2J.w": (1,)}, metadata={"k": "\x1b]0;hi\x07"}
    )
    for words in (["--tensors"], []):
        out = trainctl("checkpoint", "info", "a.safetensors", *words).out
        assert "\x1b" not in out
        assert "\x07" not in out


def test_info_imports_no_hashes_and_nothing_that_draws(project: Path, tmp_path: Path):
    checkpoints.trainer(project / "checkpoint-5", 5)
    program = (
        "import sys; from trainctl.cli.main import run; run(sys.argv[1:]);"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "checkpoint", "info", "checkpoint-5"],
        env={**os.environ, "TRAINCTL_HOME": str(tmp_path / "state")},
        capture_output=True, text=True, check=True, cwd=project,
    )  # fmt: skip
    heavy = {"rich", "sqlite3", "hashlib", "subprocess", "dataclasses", "pathlib", "tomllib",
        "zipfile", "concurrent.futures", "ssl", "http.client"}  # fmt: skip
    assert heavy & set(done.stderr.split()) == set()


def test_two_of_the_same_structure_differ_in_facts_alone(project: Path, trainctl: Trainctl):
    checkpoints.trainer(project / "checkpoint-100", 100)
    checkpoints.trainer(project / "checkpoint-200", 200)
    answer = trainctl("checkpoint", "diff", "checkpoint-100", "checkpoint-200")
    assert answer.code == 0
    assert "same structure" in answer.out
    assert "other content" in answer.out
    (step,) = [line.split() for line in answer.out.splitlines() if line.startswith("step ")]
    assert step == ["step", "100", "200", "differs"]


def test_a_copy_has_the_same_content_whatever_it_is_called(project: Path, trainctl: Trainctl):
    first = checkpoints.safetensors(project / "a.safetensors", LAYERS)
    (project / "b.safetensors").write_bytes(first.read_bytes())
    answer = trainctl("checkpoint", "diff", "a.safetensors", "b.safetensors")
    assert "same content" in answer.out
    assert trainctl("checkpoint", "verify", "a.safetensors", "b.safetensors").code == 0
    assert "same content" in trainctl("checkpoint", "diff", "a.safetensors", "b.safetensors").out


def test_other_tensors_end_in_one(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "a.safetensors", LAYERS)
    other = {**LAYERS, "net.0.weight": (4, 5), "new": (1,)}
    other.pop("net.5.bias")
    checkpoints.safetensors(project / "b.safetensors", other)
    answer = trainctl("checkpoint", "diff", "a.safetensors", "b.safetensors")
    assert answer.code == 1
    assert "net.0.weight  4x4 float32 -> 4x5 float32" in answer.out
    data = trainctl("checkpoint", "diff", "a.safetensors", "b.safetensors", "--json").data
    assert [t["name"] for t in data["added"]] == ["new"]
    assert [t["name"] for t in data["removed"]] == ["net.5.bias"]


def test_values_name_the_tensors_that_hold_other_numbers(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", LAYERS)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (project / "b.safetensors").write_bytes(data)
    answer = trainctl("checkpoint", "diff", "a.safetensors", "b.safetensors", "--values", "--json")
    assert answer.data["differing_values"] == ["net.5.bias"]
    assert answer.data["same_content"] is False


def test_metrics_that_are_no_number_make_no_broken_json(project: Path, trainctl: Trainctl):
    history = [{"loss": float("nan"), "eval_loss": float("inf"), "step": 7}]
    checkpoints.trainer(project / "checkpoint-7", 7, log_history=history)

    def refuse(text: str):
        raise AssertionError(text)

    for words in (["list"], ["info", "checkpoint-7"], ["diff", "checkpoint-7", "checkpoint-7"]):
        out = trainctl("checkpoint", *words, "--json").out
        json.loads(out, parse_constant=refuse)


@pytest.mark.parametrize("command", ["info", "verify"])
def test_where_no_run_is_one_has_to_be_named(project: Path, trainctl: Trainctl, command: str):
    (project / "letters.txt").write_text("private")
    answer = trainctl("checkpoint", command)
    assert answer.code == 4
    assert "there is no run yet" in answer.err
    assert f"trainctl checkpoint {command} PATH" in answer.err
    assert not (project.parent / "state/manifests").exists()


def test_a_store_is_no_checkpoint(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "made/step_7.safetensors", LAYERS)
    shelf.push(FolderStore(str(project / "store")), manifest.make(str(path)))
    answer = trainctl("checkpoint", "info", "store")
    assert answer.code == 2
    assert "a store with 1 checkpoint" in answer.err
    assert "trainctl checkpoint list store" in answer.err
    listed = trainctl("checkpoint", "list", "store")
    (typed,) = [line for line in listed.err.splitlines() if "to name one" in line]
    assert trainctl(*typed.split("trainctl ")[1].split()).code == 0


def test_two_of_different_kinds_are_told_in_one_screen(project: Path, trainctl: Trainctl):
    for name, letter in (("one.pt", "a"), ("other.pt", "b")):
        values = {f"{letter}{number}": number for number in range(60)}
        checkpoints.torch_zip(project / name, pickle.dumps(values, protocol=2))
    out = trainctl("checkpoint", "diff", "one.pt", "other.pt").out
    assert "A: one.pt" in out
    assert "B: other.pt" in out
    assert "values more that differ (--json)" in out
    assert len(out.splitlines()) < 30
