"""Commands that meet a folder nested without end: told in a sentence, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import checkpoints
from tests.fakes.nested import nested_in
from tests.unit.cli.conftest import Trainctl

TOLD = "is nested deeper than 100 folders"


def test_the_list_tells_it_and_what_lies_beside_it(project: Path, trainctl: Trainctl):
    checkpoints.trainer(project / "out/checkpoint-100", 100)
    with nested_in(project / "out/checkpoint-9"):
        answer = trainctl("checkpoint", "list", "out")
    assert answer.code == 0
    assert "checkpoint-100" in answer.out
    assert TOLD in answer.out


@pytest.mark.parametrize("words", [("info",), ("verify",), ("push", "--to", "store")])
def test_a_command_on_it_fails_in_words(words: tuple[str, ...], project: Path, trainctl: Trainctl):
    command, *options = words
    with nested_in(project / "out/checkpoint-9"):
        answer = trainctl("checkpoint", command, "out/checkpoint-9", *options)
    assert answer.code != 0
    assert TOLD in answer.out + answer.err
