"""Where our options end and what belongs to the script begins."""

from __future__ import annotations

import pytest

from trainctl.cli.resume import resume_command
from trainctl.cli.run import run_command
from trainctl.cli.words import split, split_passed

RESUME = resume_command.params


@pytest.mark.parametrize(
    ("words", "ours", "command"),
    [
        (["train.py", "--name", "x"], [], ["train.py", "--name", "x"]),
        (["--name", "x", "train.py", "-d"], ["--name", "x"], ["train.py", "-d"]),
        (["--name=x", "train.py"], ["--name=x"], ["train.py"]),
        (["-d", "-m", "pkg", "-d"], ["-d"], ["-m", "pkg", "-d"]),
        (["--wait", "train.py"], ["--wait=forever"], ["train.py"]),
        (["--wait=6h", "train.py"], ["--wait=6h"], ["train.py"]),
        (["--", "--odd-name.py"], [], ["--odd-name.py"]),
        (["-d", "--", "-m"], ["-d"], ["-m"]),
        (["-"], [], ["-"]),
        (["--name"], ["--name"], []),
        ([], [], []),
    ],
)
def test_of_run_the_command_begins_at_the_first_word_that_is_no_option(
    words: list[str], ours: list[str], command: list[str]
):
    assert split(run_command, words) == (ours, command)


@pytest.mark.parametrize(
    ("words", "ours", "run", "arguments"),
    [
        ([], [], None, []),
        (["train-7f"], [], "train-7f", []),
        (["train-7f", "--epochs", "20"], [], "train-7f", ["--epochs", "20"]),
        (["--epochs", "20"], [], None, ["--epochs", "20"]),
        (["--from", "best", "-d", "r", "x"], ["--from", "best", "-d"], "r", ["x"]),
        (["--from=best", "--lr", "1"], ["--from=best"], None, ["--lr", "1"]),
        (["--wait", "r"], ["--wait=forever"], "r", []),
        (["r", "--", "--from", "1"], [], "r", ["--from", "1"]),
        (["--", "--from", "1"], [], None, ["--from", "1"]),
    ],
)
def test_of_resume_what_follows_run_is_the_scripts(
    words: list[str], ours: list[str], run: str | None, arguments: list[str]
):
    told, passed = split_passed(RESUME, words)

    assert (told, passed.run, passed.arguments) == (ours, run, arguments)
