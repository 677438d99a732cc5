"""Options of ours among a script's arguments: refused with the corrected line, or left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.control import misplaced
from trainctl.errors import UsageError
from trainctl.records.job import Job

OURS = {"--from": True, "--detach": False, "-d": False, "--env": True}
SOURCE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs")
parser.add_argument("--env")
parser.parse_args()
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    script = tmp_path / "train.py"
    script.write_text(SOURCE)
    blank = dict.fromkeys(Job._fields)
    return Job(**{**blank, "name": "train-7f3k", "source": str(script)})


@pytest.mark.parametrize(
    ("run", "arguments", "line"),
    [
        ("train-7f", ["--from", "2", "--epochs", "3"], "--from 2 train-7f --epochs 3"),
        ("train-7f", ["--epochs", "3", "--from=best"], "--from=best train-7f --epochs 3"),
        (None, ["--epochs", "a b", "-d"], "-d train-7f3k --epochs 'a b'"),
    ],
)
def test_the_line_is_corrected(job: Job, run: str | None, arguments: list[str], line: str):
    with pytest.raises(UsageError) as refused:
        misplaced.refuse("resume", job, run, arguments, OURS)

    assert refused.value.hint == f"trainctl resume {line}"


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "3"], ["--env", "cartpole"], ["--", "--from"], ["--unknown"], []],
    ids=" ".join,
)
def test_what_is_the_scripts_passes(job: Job, arguments: list[str]):
    misplaced.refuse("resume", job, "train-7f", arguments, OURS)


def test_a_mistyped_option_of_ours_is_not_handed_over(job: Job):
    with pytest.raises(UsageError, match="has an option --form"):
        misplaced.refuse("resume", job, None, ["--form", "2"], OURS)
    misplaced.refuse("resume", job, None, ["--epoch", "2"], OURS)


def test_of_a_script_that_shows_no_options_nothing_is_known(job: Job):
    misplaced.refuse("resume", job._replace(source=None), "r", ["--from", "2"], OURS)
