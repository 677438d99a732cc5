from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer, Trainctl
from trainctl.config import validate

TRAIN = "import argparse\nargparse.ArgumentParser().add_argument('--resume')\nloss.backward()\n"


@pytest.fixture
def file(project: Path) -> Path:
    return project / "trainctl.toml"


def at_a_terminal(project: Path, typed: str) -> Answer:
    """`trainctl init` with somebody who types this."""
    master, slave = pty.openpty()
    os.write(master, typed.encode())
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trainctl", "init"],
            cwd=project,
            stdin=slave,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(master)
        os.close(slave)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_a_project_gets_a_valid_file_with_reasons(trainctl: Trainctl, project: Path, file: Path):
    (project / "train.py").write_text(TRAIN)
    told = trainctl("init")
    assert told.code == 0
    assert "train.py seems to be the training script" in told.out
    assert "resume_args: found by itself (train.py defines --resume" in told.out
    assert told.err.endswith(f"wrote {file}\n  next: trainctl run train.py\n")
    assert validate(f"{file}") == []
    assert tomllib.loads(file.read_text()) == {"retries": 2}
    assert (
        trainctl("config", "validate").out
        == "valid: ~/project/trainctl.toml, TRAINCTL_ variables\n"
    )


def test_a_second_time_there_is_nothing_to_do(trainctl: Trainctl, file: Path):
    trainctl("init")
    before = os.stat(file).st_mtime_ns
    again = trainctl("init")
    assert (again.code, os.stat(file).st_mtime_ns) == (0, before)
    assert "trainctl.toml is as proposed" in again.err


def test_a_file_is_not_replaced_where_nobody_can_be_asked(trainctl: Trainctl, file: Path):
    file.write_text("gpus = 1\n")
    told = trainctl("init")
    assert told.code == 5
    assert "-gpus = 1\n" in told.out
    assert "nobody is here to ask; nothing was changed" in told.err
    assert "try: trainctl init --yes" in told.err
    assert file.read_text() == "gpus = 1\n"


@pytest.mark.parametrize(("typed", "code"), [("n\n", 5), ("\n", 5), ("y\n", 0)])
def test_on_a_terminal_one_is_asked_and_no_is_the_default(
    project: Path, file: Path, typed: str, code: int
):
    file.write_text("gpus = 1\n")
    told = at_a_terminal(project, typed)
    assert told.code == code
    assert "Replace trainctl.toml? [y/N]" in told.err
    assert (file.read_text() == "gpus = 1\n") is bool(code)


def test_a_yes_in_advance_replaces_it_and_keeps_its_mode(trainctl: Trainctl, file: Path):
    file.write_text("gpus = 1\n")
    file.chmod(0o640)
    assert trainctl("init", "--yes").code == 0
    assert tomllib.loads(file.read_text()) == {}
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(trainctl: Trainctl, project: Path, file: Path):
    (project / "shared.toml").write_text("gpus = 1\n")
    file.symlink_to("shared.toml")
    assert trainctl("init", "-y").code == 0
    assert file.is_symlink()
    assert "# gpus = 1\n" in (project / "shared.toml").read_text()


def test_print_shows_the_file_and_writes_none(trainctl: Trainctl, file: Path):
    told = trainctl("init", "--print")
    assert tomllib.loads(told.out) == {}
    assert (told.code, told.err, file.exists()) == (0, "", False)
    trainctl("init")
    assert file.read_text() == told.out


def test_json_tells_what_was_found_and_done(trainctl: Trainctl, file: Path):
    told = trainctl("init", "--json")
    assert told.data["path"] == f"{file}"
    assert (told.data["written"], told.data["existed"], told.data["script"]) == (True, False, None)
    assert told.data["text"] == file.read_text()
    file.write_text("gpus = 1\n")
    refused = trainctl("init", "--json")
    assert (refused.code, refused.data["kind"], refused.err) == (5, "refused", "")
    looked = trainctl("init", "--json", "--print")
    assert (looked.code, looked.data["written"]) == (0, False)
    assert "-gpus = 1" in looked.data["diff"]


def test_settings_in_pyproject_are_not_doubled(trainctl: Trainctl, project: Path, file: Path):
    (project / "pyproject.toml").write_text("[tool.trainctl]\nretries = 1\n")
    told = trainctl("init")
    assert (told.code, file.exists()) == (5, False)
    assert "[tool.trainctl] in" in told.err
    assert "trainctl init --print" in told.err
    assert trainctl("init", "--print").code == 0


def test_a_file_of_the_folder_above_is_named(
    trainctl: Trainctl, project: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    (project / ".git").mkdir()
    file.write_text("")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    told = trainctl("init")
    assert f"{file} has settings that hold here" in told.out
    assert f"{file} holds in this folder no more" in told.err


def test_a_folder_of_that_name_is_refused(trainctl: Trainctl, file: Path):
    file.mkdir()
    told = trainctl("init", "--yes")
    assert told.code == 5
    assert f"{file} is not a file" in told.err


def test_a_file_that_is_no_text_is_shown_and_can_be_replaced(trainctl: Trainctl, file: Path):
    file.write_bytes(b"\xff\x00\x1b[31m\n")
    told = trainctl("init", "--yes")
    assert told.code == 0
    assert "\x1b" not in told.out
    assert validate(f"{file}") == []


def test_a_folder_that_cannot_be_written_is_named(trainctl: Trainctl, project: Path):
    (project / "trainctl.toml").symlink_to("/proc/nowhere")
    told = trainctl("init")
    assert told.code == 1
    assert "trainctl.toml cannot be written: No such file or directory" in told.err
    assert "trainctl init --print" in told.err


def test_a_deleted_folder_is_named(trainctl: Trainctl, project: Path):
    project.rmdir()
    told = trainctl("init")
    assert told.code == 1
    assert told.err == "trainctl: the current folder does not exist any more\n  try: cd ~\n"
