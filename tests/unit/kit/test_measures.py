"""Measures at a step: from a run's own log, from Hugging Face's state, from a name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from trainctl.kit import measures

LINES = [
    {"step": 10, "loss": 3.0, "epoch": 1},
    {"step": 10, "val_loss": 3.5},
    {"step": 20, "loss": 2.0, "note": "text", "done": True},
    {"step": 30, "loss": math.nan},
    {"step": 40, "loss": 1.0},
]


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "metrics.jsonl"
    torn = "[1]\nnot json\n" + '{"step": 50, "lo'
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES) + torn)
    return str(path)


def test_the_last_values_at_or_before_a_step(log: str):
    assert measures.at(log, 25) == {"loss": 2.0, "val_loss": 3.5}
    assert measures.at(log, 5) == {}
    assert measures.at(log, None)["loss"] == 1.0
    assert math.isnan(measures.at(log, 30)["loss"])


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    with path.open("w") as file:
        for step in range(60_000):
            file.write(json.dumps({"step": step, "loss": float(step)}) + "\n")
    assert measures.at(str(path), 59_000) == {"loss": 59_000.0}
    assert measures.at(str(path), None) == {"loss": 59_999.0}


def test_no_log_measures_nothing(tmp_path: Path):
    assert measures.at(str(tmp_path / "none"), 1) == {}


def test_hugging_face_state(tmp_path: Path):
    history = [{"loss": 2.0, "step": 1}, {"eval_loss": 1.5, "step": 2}, {"loss": 1.0, "step": 2}]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    assert measures.in_folder(str(tmp_path)) == {"loss": 1.0, "eval_loss": 1.5}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log_history": 3}', '{"log_history": [1]}'])
def test_a_state_that_is_none_measures_nothing(text: str, tmp_path: Path):
    (tmp_path / "trainer_state.json").write_text(text)
    assert measures.in_folder(str(tmp_path)) == {}


def test_numbers_too_large_are_none(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1, "loss": 1{"0" * 400}, "acc": 1}}\n')
    assert measures.at(str(path), 1) == {"acc": 1.0}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("epoch=3-step=400-val_loss=0.12.ckpt", {"val_loss": 0.12}),
        ("val_loss=0.5_acc=0.7.pt", {"val_loss": 0.5, "acc": 0.7}),
        ("best-loss=-1.5e-3-v1.ckpt", {"loss": -0.0015}),
        ("checkpoint-400", {}),
    ],
)
def test_a_name_tells(name: str, told: dict[str, float]):
    assert measures.in_name(name) == told
