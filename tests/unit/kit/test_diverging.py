"""Which row of a log tells of a loss that is no number, and of which step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainctl.kit import diverging, measures
from trainctl.kit.names import Home, RunFolder

NAN = float("nan")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = Home(str(tmp_path)).run("r")
    os.makedirs(run.attempt(1).path)
    return run


def step_of(run: RunFolder, *lines: str) -> int | None:
    Path(run.attempt(1).metrics).write_text("".join(f"{line}\n" for line in lines))
    seen = diverging.in_attempt(run, 1)
    return None if seen is None else seen.step


@pytest.mark.parametrize("step", [str(10**400), "1e999", "true", "null", '"soon"', "[3]", "NaN"])
def test_a_row_without_a_usable_step_is_of_the_step_before(run: RunFolder, step: str):
    good = '{"step": 200, "loss": 1.0}'

    assert step_of(run, good, f'{{"step": {step}, "loss": NaN}}') == 200
    assert step_of(run, good, '{"loss": NaN}', '{"step": 300, "loss": NaN}') == 200


def test_where_no_step_was_told_before_a_row_without_one_is_no_evidence(run: RunFolder):
    assert step_of(run, '{"loss": NaN}', '{"step": 5, "loss": 1.0}') is None


@pytest.mark.parametrize(
    "told",
    ['"global_step": 7', '"iter": 7', '"step": "7"', '"step": 7.0', '"step": {}, "iter": 7'],
)
def test_other_ways_to_tell_a_step(run: RunFolder, told: str):
    assert step_of(run, f'{{{told}, "loss": Infinity}}') == 7


@pytest.mark.parametrize("name", ["loss", "eval_loss", "train/loss", "Loss/train", "val-loss"])
def test_what_is_a_loss(name: str):
    assert diverging.of_metrics({name: NAN}) is not None


@pytest.mark.parametrize(
    "name", ["loss_scale", "amp/loss_scale", "best_loss", "best_val_loss", "grad_norm", "lossless"]
)
def test_what_is_none(name: str):
    assert diverging.of_metrics({name: NAN}) is None


def test_of_a_long_log_the_row_before_still_tells_the_step(run: RunFolder):
    rows = [f'{{"step": {step}, "loss": 1.0, "note": "{"x" * 1000}"}}' for step in range(3000)]
    silent = [f'{{"note": "{"x" * 1000}"}}'] * 3000

    assert step_of(run, *rows, *silent, '{"loss": NaN}') == 2999


def test_trainers_history_is_read_by_the_same_rule(tmp_path: Path):
    history = '[{"step": 4, "loss": 1.0}, {"loss": NaN}]'
    (tmp_path / "trainer_state.json").write_text(f'{{"log_history": {history}}}')
    seen = diverging.in_checkpoint(str(tmp_path), None)

    assert seen is not None
    assert seen.step == 4


def test_pipes_are_not_waited_for(run: RunFolder, tmp_path: Path):
    os.mkfifo(tmp_path / "trainer_state.json")
    log = run.attempt(1).metrics
    os.mkfifo(log)

    assert diverging.in_attempt(run, 1) is None
    assert diverging.in_checkpoint(str(tmp_path), None) is None
    assert measures.in_folder(str(tmp_path)) == {}
    assert measures.at(log, None) == {}
