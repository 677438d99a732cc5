"""What runs are called."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from trainctl.records import naming


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        (["train.py", "--lr", "3"], "train"),
        (["src/My Model/Train_v2.py"], "train-v2"),
        (["-m", "package.train"], "train"),
        (["torchrun", "train.py"], "torchrun"),
        (["/usr/bin/python3.11"], "python3"),
        (["folder/"], "folder"),
        (["日本.py"], "run"),
        (["-m"], "m"),
    ],
)
def test_a_run_is_called_after_what_it_runs(words: list[str], stem: str):
    assert naming.stem_of(words) == stem


@hypothesis.given(strategies.lists(strategies.text(min_size=1), min_size=1))
def test_whatever_is_run_its_name_is_valid(words: list[str]):
    assert naming.is_valid(naming.fresh(naming.stem_of(words)))


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "..", "x" * 64, "é", "a\n"])
def test_names_that_could_be_taken_for_something_else_are_refused(name: str):
    assert not naming.is_valid(name)
