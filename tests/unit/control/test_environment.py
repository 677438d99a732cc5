"""The trainer's environment, and which of it is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.control import environment
from trainctl.errors import CredentialsError, NotFoundError, UsageError


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "WANDB_API_KEY", "db_password", "AWS_SECRET", "GOOGLE_AUTH"]
)
def test_values_of_secret_looking_names_are_not_recorded(name: str):
    assert environment.split([f"{name}=hunter2", "LR=3"]) == ({"LR": "3"}, [name])
    assert environment.given([f"{name}=hunter2", "LR=3"]) == {name: "hunter2", "LR": "3"}


def test_a_name_alone_is_recorded_as_a_name():
    assert environment.split(["HOME", "A=b=c", "E="]) == ({"A": "b=c", "E": ""}, ["HOME"])


@pytest.mark.parametrize("word", ["1A=2", "=2", "A-B=1", ""])
def test_what_names_no_variable_is_refused(word: str):
    with pytest.raises(UsageError):
        environment.split([word])


def test_an_env_file_reads_as_shells_and_docker_have_it(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("# mine\n\nexport A=1\nB = 'two words' \nC=\"x=y\"\nD=it's\nE=\n")

    assert environment.read_env_file(str(path)) == {
        "A": "1",
        "B": "two words",
        "C": "x=y",
        "D": "it's",
        "E": "",
    }


def test_a_broken_line_of_an_env_file_is_named(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("A=1\nnonsense\n")

    with pytest.raises(UsageError, match=r"\.env:2: not a NAME=VALUE line"):
        environment.read_env_file(str(path))
    with pytest.raises(NotFoundError):
        environment.read_env_file(str(tmp_path / "none"))


def test_marks_of_an_outer_run_do_not_reach_an_inner_one():
    outer = {
        "TRAINCTL_RUN": "outer",
        "TRAINCTL_RESUME_FROM": "/x",
        "TRAINCTL_HOME": "/h",
        "A": "1",
    }
    built = environment.build("inner", outer, {}, [], None)

    assert built == {
        "A": "1",
        "TRAINCTL_HOME": "/h",
        "PYTHONUNBUFFERED": "1",
        "WANDB_RUN_ID": "inner",
        "WANDB_RESUME": "allow",
    }


def test_what_was_asked_for_wins_and_what_is_missing_is_named():
    built = environment.build("r", {"A": "1", "PYTHONUNBUFFERED": ""}, {"A": "2"}, ["A"], None)
    assert (built["A"], built["PYTHONUNBUFFERED"]) == ("2", "")

    with pytest.raises(CredentialsError, match="HF_TOKEN, X: asked for by --env"):
        environment.build("r", {}, {}, ["HF_TOKEN", "X"], None)
