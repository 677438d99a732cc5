"""Options of ours among a script's arguments: refused with the corrected line, or left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.control import misplaced
from trainctl.errors import UsageError
from trainctl.records.job import Job

OURS = {"--from": True, "--detach": False, "-d": False, "--env": True}
OF_RUN = {"--python": True, "--detach": False, "--tty": False, "--epochs": True}
VERB = misplaced.Verb("resume", OURS, OF_RUN)
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
    return Job(
        **{
            **blank,
            "name": "train-7f3k",
            "source": str(script),
            "typed": ["train.py", "--epochs", "1"],
        }
    )


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
        misplaced.refuse(VERB, job, run, arguments)

    assert refused.value.hint == f"trainctl resume {line}"


@pytest.mark.parametrize(
    "arguments",
    [["--epochs", "3"], ["--env", "cartpole"], ["--", "--from"], ["--unknown"], []],
    ids=" ".join,
)
def test_what_is_the_scripts_passes(job: Job, arguments: list[str]):
    misplaced.refuse(VERB, job, "train-7f", arguments)


def test_a_mistyped_option_of_ours_is_not_handed_over(job: Job):
    with pytest.raises(UsageError, match="has an option --form"):
        misplaced.refuse(VERB, job, None, ["--form", "2"])
    misplaced.refuse(VERB, job, None, ["--epoch", "2"])


def test_of_a_script_that_shows_no_options_nothing_is_known(job: Job):
    misplaced.refuse(VERB, job._replace(source=None), "r", ["--from", "2"])


@pytest.mark.parametrize(
    ("verb", "arguments", "line"),
    [
        ("resume", ["--python", "X"], "run --python X --resume train-7f3k train.py --epochs 1"),
        ("resume", ["--epochs", "2", "--tty"],
         "run --tty --resume train-7f3k train.py --epochs 1 --epochs 2"),
        ("rerun", ["--python=X"], "run --python=X train.py --epochs 1"),
    ],
)  # fmt: skip
def test_an_option_of_run_is_told_with_the_line_that_takes_it(
    job: Job, verb: str, arguments: list[str], line: str
):
    with pytest.raises(UsageError, match="is an option of trainctl run, and not") as refused:
        misplaced.refuse(VERB._replace(name=verb), job, "train-7f", arguments)

    assert refused.value.hint is not None
    assert refused.value.hint.startswith(f"a new run with it: trainctl {line}; ")


def test_a_run_that_stands_late_is_not_taken_for_an_argument(job: Job):
    with pytest.raises(UsageError, match="RUN stands before them") as refused:
        misplaced.refuse_late(VERB, job, ["--epochs", "2", "train-7f3k"])

    assert refused.value.hint is not None
    assert refused.value.hint.startswith("trainctl resume train-7f3k --epochs 2; ")
