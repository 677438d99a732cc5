"""Real frameworks, killed again and again, and resumed by what trainctl chooses for them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.e2e.frameworks.killing import CASES, killed_and_resumed, needed, reference
from tests.e2e.line import CommandLine
from tests.torture.board import Board

_EACH = 3  # kills of one run


@pytest.fixture
def line(tmp_path: Path) -> Iterator[CommandLine]:
    made = CommandLine(tmp_path)
    yield made
    made.end_all()


@pytest.mark.parametrize("name", needed())
def test_however_often_it_is_killed_it_ends_at_the_loss_of_one_that_was_not(
    line: CommandLine, board: Board, tmp_path: Path, kills: int, name: str
):
    if kills <= SAMPLE:
        pytest.skip("not run: tests/e2e/frameworks has a sample; ./run torture runs all")
    case, seed = CASES[name], int.from_bytes(os.urandom(4), "big")
    expected, randomness = reference(case, tmp_path), random.Random(seed)
    struck = lost = passed = 0
    for number in range(kills // SAMPLE // _EACH):
        outcome = killed_and_resumed(line, f"{name}-{number}", case, randomness, _EACH)
        struck, passed = struck + outcome.struck, passed + outcome.passed
        ends_well = outcome.loss == expected.loss if case.exact else expected.fits(outcome.loss)
        if not ends_well:
            print(f"{name}, seed {seed}: {outcome}, undisturbed {expected}")
            lost += 1
    print(f"{name}: {struck} kills, {passed} checkpoints passed over, undisturbed {expected}")
    board.note(f"SIGKILL of {name}, resumed", injected=struck, lost=lost, doubled=0)
