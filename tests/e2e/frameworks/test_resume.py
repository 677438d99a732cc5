"""Trainer, Lightning and a plain loop: killed at random, resumed without one setting."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests import need
from tests.e2e.frameworks.killing import (
    CASES,
    SCRIPTS,
    Reference,
    killed_and_resumed,
    needed,
    reference,
)
from tests.e2e.line import CommandLine

_TRAINER = ("torch", "transformers")


@pytest.mark.parametrize("name", needed())
def test_a_run_killed_at_random_ends_at_the_loss_of_one_that_was_not(
    trainctl: CommandLine, tmp_path: Path, name: str
):
    case, seed = CASES[name], int.from_bytes(os.urandom(4), "big")
    expected = reference(case, tmp_path)
    outcome = killed_and_resumed(trainctl, name, case, random.Random(seed), kills=1)
    print(f"{name}, seed {seed}: {outcome}, undisturbed {expected}")

    assert outcome.struck
    assert expected.fits(outcome.loss)
    if case.exact:
        assert outcome.loss == expected.loss


def test_what_fits_the_noise_of_seeds_is_told_from_what_does_not():
    noisy = Reference(1.0, (1.1, 0.9))
    assert noisy.fits(1.2)
    assert not noisy.fits(1.5)


@pytest.mark.parametrize("package", [pytest.param("", marks=list(map(need.module, _TRAINER)))])
def test_a_trainer_that_takes_the_highest_number_is_kept_from_half_a_checkpoint(
    trainctl: CommandLine, package: str
):
    for script in ("trainer.py", "trainer_last.py"):
        trainctl.write(script, (SCRIPTS / script).read_text())
    words = ("--output_dir", "out", "--save_steps", "10", "--use_cpu", "true")
    words += ("--disable_tqdm", "true", "--report_to", "none", "--max_steps", "20")
    trainctl.ok("run", "--name", "base", "trainer_last.py", *words)
    half = trainctl.project / "out" / "checkpoint-30"
    shutil.copytree(trainctl.project / "out" / "checkpoint-20", half)
    (half / "trainer_state.json").unlink()  # Trainer writes it last
    done = trainctl.ok("resume", "base")

    assert "passed over" in done.err
    assert ".checkpoint-30.set-aside" in done.err
    assert "last checkpoint: out/checkpoint-20" in done.out
    assert not half.exists()


@need.module("torch")
@need.module("pytorch_lightning")
def test_lightnings_last_is_passed_over_where_it_was_cut(trainctl: CommandLine):
    trainctl.write("lightning_fit.py", (SCRIPTS / "lightning_fit.py").read_text())
    words = ("lightning_fit.py", "--epochs", "2", "--last", "--save_dir", "out")
    trainctl.ok("run", "--name", "base", *words)
    last = trainctl.project / "out" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    done = trainctl.ok("resume", "base", "--epochs", "3")

    assert f"passed over: {last}: it is cut off" in done.err
    assert "goes on from out/epoch=1-step=60.ckpt" in done.err
