from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Trainctl
from trainctl.config import KEYS


@pytest.fixture
def file(project: Path) -> Path:
    return project / "trainctl.toml"


def test_show_tells_each_value_and_where_it_comes_from(
    trainctl: Trainctl, project: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    file.write_text("\nretries = 2\n")
    monkeypatch.setenv("TRAINCTL_GRACE", "90s")
    told = trainctl("config", "show")
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert (told.code, told.err, len(lines)) == (0, "", len(KEYS))
    assert "retries = 2 # ~/project/trainctl.toml:2" in lines
    assert 'grace = "1m30s" # environment variable TRAINCTL_GRACE' in lines
    assert "gpus = 0 # default" in lines
    assert "# nproc is not set" in lines
    assert tomllib.loads(told.out)["retries"] == 2


def test_show_takes_keys_as_they_are_spelled_anywhere(trainctl: Trainctl):
    spelled = [
        trainctl("config", "show", it).out
        for it in ("max_hours", "max-hours", "TRAINCTL_MAX_HOURS")
    ]
    assert spelled == ["# max_hours is not set\n"] * 3
    assert trainctl("config", "show", "retries", "gpus").out == (
        "retries = 0  # default\ngpus = 0     # default\n"
    )


def test_show_changed_leaves_defaults_out(trainctl: Trainctl, file: Path):
    file.write_text("gpus = 2\n")
    assert [
        it["key"] for it in trainctl("config", "show", "--changed", "--json").data["settings"]
    ] == [
        "home",
        "gpus",
    ]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["config", "show", "retrys"], "did you mean retries?"),
        (["config", "shwo"], "did you mean trainctl config show?"),
        (["config", "retrys"], "did you mean trainctl config show retries?"),
        (["config", "xyzzy"], "trainctl config --help"),
        (["config", "show", "--jsno"], "did you mean --json?"),
        (["config", "path", "mine"], "trainctl config path --help"),
    ],
)
def test_what_was_meant_is_asked(trainctl: Trainctl, words: list[str], meant: str):
    told = trainctl(*words)
    assert (told.code, told.out) == (2, "")
    assert f"  try: {meant}" in told.err


def test_values_of_secrets_are_not_shown(trainctl: Trainctl, file: Path):
    file.write_text('env = ["HF_TOKEN=hunter2", "A=1", "WANDB_API_KEY"]\n')
    told = trainctl("config", "show", "env")
    assert told.out.startswith('env = ["HF_TOKEN=(hidden)", "A=1", "WANDB_API_KEY"]')
    assert "hunter2" not in trainctl("config", "show", "--json").out


def test_a_broken_file_is_told_beside_what_still_holds(trainctl: Trainctl, file: Path):
    file.write_text("gpus = 3\nretrys = 1\n")
    told = trainctl("config", "show", "gpus")
    assert (told.code, told.out.split()[:3]) == (3, ["gpus", "=", "3"])
    assert f"{file}:2: unknown key 'retrys'" in told.err
    assert "did you mean retries?" in told.err
    data = trainctl("config", "show", "--json").data
    assert [it["hint"].partition("?")[0] for it in data["problems"]] == ["did you mean retries"]


def test_json_holds_plain_values(trainctl: Trainctl, file: Path):
    file.write_text('grace = "2m"\ntags = ["a", "b"]\nstall_after = "off"\n')
    found = {it["key"]: it for it in trainctl("config", "show", "--json").data["settings"]}
    assert (found["grace"]["value"], found["tags"]["value"]) == (120.0, ["a", "b"])
    assert (found["stall_after"]["value"], found["gpus"]["origin"]) == (None, "default")
    assert found["grace"]["origin"] == f"{file}:1"


def test_validate_tells_every_problem(
    trainctl: Trainctl, file: Path, monkeypatch: pytest.MonkeyPatch
):
    file.write_text('retrys = 1\ngpus = "two"\nhome = "/tmp"\n')
    monkeypatch.setenv("TRAINCTL_RETRIES", "many")
    monkeypatch.setenv("TRAINCTL_GPU", "1")
    told = trainctl("config", "validate")
    assert (told.code, told.err) == (3, "trainctl: 4 problems\n")
    for line in ("trainctl.toml:1: unknown key", "trainctl.toml:2: gpus must be", "home may not"):
        assert line in told.out
    assert "TRAINCTL_RETRIES: retries must be" in told.out
    assert "TRAINCTL_GPU is not one of ours" in told.out
    assert told.out.count("  try: ") == 5
    data = trainctl("config", "validate", "--json").data
    assert (data["valid"], len(data["problems"]), len(data["warnings"])) == (False, 4, 1)


def test_validate_says_what_it_has_looked_at(trainctl: Trainctl, file: Path):
    told = trainctl("config", "validate")
    assert (told.code, told.out) == (0, "valid: no settings file, TRAINCTL_ variables\n")
    file.write_text("gpus = 1\n")
    assert trainctl("config", "validate", "--json").data["looked_at"][0] == f"{file}"


def test_validate_takes_one_file(trainctl: Trainctl, project: Path):
    other = project / "other.toml"
    other.write_text("gpus = 1\n")
    assert trainctl("config", "validate", "other.toml").out == "valid: other.toml\n"
    other.write_text("home = '/data'\n")
    assert trainctl("config", "validate", "other.toml").code == 3
    absent = trainctl("config", "validate", "none.toml")
    assert (absent.code, absent.err.splitlines()[0]) == (4, "trainctl: there is no none.toml")


def test_my_own_file_may_say_what_a_project_may_not(trainctl: Trainctl, tmp_path: Path):
    own = tmp_path / ".config" / "trainctl" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("home = '/data'\n")
    assert trainctl("config", "validate", f"{own}").code == 0


@pytest.mark.parametrize(
    "hostile",
    [
        b"gpus = ",
        b"\xff\xfe",
        b"a" + b".a" * 20_000 + b" = 1",
        b"x = " + b"[" * 50_000,
        b"#" * 300_000,
        b"gpus = " + b"9" * 10_000,
    ],
)
def test_a_hostile_file_gets_one_short_answer(trainctl: Trainctl, file: Path, hostile: bytes):
    file.write_bytes(hostile)
    told = trainctl("config", "validate")
    assert told.code == 3
    assert f"{os.path.basename(file)}" in told.out
    assert len(told.out) < 600


def test_path_tells_where_files_are_or_would_be(
    trainctl: Trainctl, project: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    told = trainctl("config", "path")
    assert [line.split()[0] for line in told.out.splitlines()] == ["user", "project"]
    assert told.out.count("(not there)") == 2
    file.write_text("")
    assert trainctl("config", "path").out.endswith(f"project  {file}\n")
    assert trainctl("config", "path", "project").out == f"{file}\n"
    monkeypatch.setenv("TRAINCTL_CONFIG", os.devnull)
    [own] = trainctl("config", "path", "user", "--json").data
    assert (own["path"], own["exists"]) == (os.devnull, True)


def test_path_names_the_section_of_a_pyproject(trainctl: Trainctl, project: Path):
    (project / "pyproject.toml").write_text("[tool.trainctl]\ngpus = 1\n")
    assert "pyproject.toml [tool.trainctl]\n" in trainctl("config", "path").out
    assert trainctl("config", "path", "project").out == f"{project}/pyproject.toml\n"


def test_two_places_of_one_project_are_refused_wherever_one_looks(
    trainctl: Trainctl, project: Path, file: Path
):
    file.write_text("")
    (project / "pyproject.toml").write_text("[tool.trainctl]\n")
    for words in (["show"], ["validate"], ["path"]):
        told = trainctl("config", *words)
        assert told.code == 3
        assert "has both trainctl.toml and [tool.trainctl]" in told.out + told.err


def test_config_alone_tells_how_it_is_used(trainctl: Trainctl):
    assert trainctl("config") == trainctl("config", "--help")
