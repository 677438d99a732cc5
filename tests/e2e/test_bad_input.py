"""What bad input gets: a message that names the thing and the next command, and the right code."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests import need
from tests.e2e.conftest import TRAIN
from tests.e2e.line import TRAINCTL, CommandLine, wait_until

USAGE, CONFIGURATION, NOT_FOUND, REFUSED, CREDENTIALS, OURS = 2, 3, 4, 5, 7, 125
REFUSALS = [
    (["nosuch.py"], NOT_FOUND, "there is no file nosuch.py"),
    (["trian.py"], NOT_FOUND, "did you mean train.py?"),
    (["nosuchprogram"], NOT_FOUND, "there is no file or program nosuchprogram"),
    (["folder"], REFUSED, "trainctl run folder/inner.py"),
    (["notes.ipynb"], REFUSED, "jupyter nbconvert --to script notes.ipynb"),
    (["./locked.sh"], REFUSED, "chmod +x ./locked.sh"),
    (["--nmae", "x", "train.py"], USAGE, "did you mean --name?"),
    ([], USAGE, "there is nothing to run"),
    (["--name"], USAGE, "'--name' requires an argument"),
    (["--name", "a b", "train.py"], USAGE, "cannot name a run"),
    (["--name", "../up", "train.py"], USAGE, "cannot name a run"),
    (["--retries", "-1", "train.py"], USAGE, "retries must be a whole number"),
    (["--max-hours", "nan", "train.py"], USAGE, "max_hours must be a number"),
    (["--grace", "soon", "train.py"], USAGE, "'soon' is not a duration"),
    (["--wait=soon", "train.py"], USAGE, "'soon' is no duration"),
    (["--nproc", "0", "train.py"], USAGE, "nproc must be"),
    (["--nproc", "2", "bash", "-c", "true"], USAGE, "--nproc starts workers of a Python script"),
    (["--env", "1A=2", "train.py"], USAGE, "1A=2"),
    (["--env", "NOT_SET_HERE", "train.py"], CREDENTIALS, "export NOT_SET_HERE=..."),
    (["--env-file", "none.env", "train.py"], NOT_FOUND, "none.env cannot be read"),
    (["--env-file", "train.py", "train.py"], USAGE, "train.py:1: not a NAME=VALUE line"),
    (["--cwd", "nowhere", "train.py"], NOT_FOUND, "--cwd nowhere: there is no such folder"),
    (["--python", "/nope", "train.py"], NOT_FOUND, "--python /nope"),
    (["--after", "nobody", "train.py"], NOT_FOUND, "there is no run 'nobody'"),
    (["--resume", "no.pt", "train.py"], NOT_FOUND, "there is no checkpoint and no run no.pt"),
    (["--gpus", "99", "train.py"], REFUSED, "--gpus 99: this machine has"),
    (["--gpu-ids", "77", "train.py"], USAGE, "there is no GPU 77 here"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A project in which nothing is ever started."""
    line = CommandLine(tmp_path_factory.mktemp("shop"))
    line.write("train.py", TRAIN)
    line.write("folder/inner.py", "")
    line.write("notes.ipynb", "{}")
    line.write("locked.sh", "echo hi\n")
    return line


@pytest.mark.parametrize(("words", "code", "said"), REFUSALS, ids=lambda given: str(given)[:40])
def test_what_cannot_be_run_is_refused_and_nothing_is_left(
    shop: CommandLine, words: list[str], code: int, said: str
):
    front, back = shop("run", *words), shop("run", "--detach", *words)

    assert (front.code, back.code) == (OURS, code)
    assert said in front.err
    assert "  try: " in front.err
    assert "Traceback" not in front.err
    assert list(shop.state.glob("runs/*")) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rnu", "train.py"], USAGE, "did you mean trainctl run?"),
        (["train.py"], USAGE, "trainctl run train.py"),
        (["show", "nobody"], NOT_FOUND, "there is no run 'nobody'"),
        (["show"], NOT_FOUND, "there are no runs yet"),
        (["list", "--sort", "size"], USAGE, "'size' is not one of"),
        (["list", "--state", "suceeded"], USAGE, "did you mean succeeded?"),
        (["list", "--since", "soon"], USAGE, "'soon' is neither a duration nor a time"),
        (["logs", "--tail", "-1"], USAGE, "--tail"),
        (["delete"], USAGE, "missing argument 'RUNS...'"),
    ],
)
def test_other_commands_name_what_is_wrong(
    trainctl: CommandLine, words: list[str], code: int, said: str
):
    done = trainctl(*words)

    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_an_ambiguous_beginning_lists_the_runs(trainctl: CommandLine):
    for name in ("ab-1", "ab-2"):
        trainctl.ok("run", "--name", name, "bash", "-c", "true")
    done = trainctl("show", "ab")

    assert done.code == USAGE
    assert "could be any of 2 runs" in done.err
    assert trainctl.ok("show", "ab-2").out.startswith("run          ab-2")


def test_a_name_is_taken_once(trainctl: CommandLine):
    trainctl.ok("run", "--name", "one", "bash", "-c", "true")

    assert "there is a run named one already" in trainctl("run", "--name", "one", "train.py").err


def test_errors_have_the_envelope_too(trainctl: CommandLine):
    done = trainctl("show", "--json", "nobody")

    assert done.code == NOT_FOUND
    assert json.loads(done.out)["schema"] == "trainctl/1"
    assert done.error["kind"] == "not_found"
    assert done.error["exit_code"] == NOT_FOUND
    assert done.err == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retries = ", "trainctl.toml"),
        ("retires = 1", "did you mean retries?"),
        ("retries = 'two'", "retries must be a whole number"),
        ("home = '/tmp/x'", "home may not be set by a project"),
        ("a." * 20_000 + "b = 1", "trainctl.toml"),
        ("x = " + "[" * 5_000, "trainctl.toml"),
    ],
    ids=["broken", "unknown key", "wrong type", "not allowed", "deep key", "deep list"],
)
def test_a_broken_or_hostile_file_is_named(trainctl: CommandLine, text: str, said: str):
    trainctl.write("trainctl.toml", text)
    done = trainctl("list")

    assert done.code == CONFIGURATION
    assert said in done.err
    assert "  try: " in done.err


def test_a_readable_state_folder_is_refused_with_the_remedy(trainctl: CommandLine):
    trainctl.state.mkdir(mode=0o755)
    done = trainctl("run", "-d", "train.py")

    assert done.code == REFUSED
    assert f"chmod 700 {trainctl.state}" in done.err


def test_a_state_folder_that_is_a_file_is_named(trainctl: CommandLine):
    trainctl.state.write_text("")

    assert trainctl("run", "-d", "train.py").code == CONFIGURATION


@pytest.mark.parametrize("content", [b"", b"no database" * 500, b"\0" * 9000])
def test_a_corrupt_index_is_made_anew(trainctl: CommandLine, content: bytes):
    trainctl.ok("run", "--name", "kept", "bash", "-c", "true")
    for left in trainctl.state.glob("index.db*"):
        left.unlink()
    (trainctl.state / "index.db").write_bytes(content)
    done = trainctl.ok("list", "--quiet")

    assert done.out == "kept\n"
    assert done.err == ""


def test_an_index_of_a_newer_version_is_made_anew(trainctl: CommandLine):
    trainctl.ok("run", "--name", "kept", "bash", "-c", "true")
    with sqlite3.connect(trainctl.state / "index.db") as newer:
        newer.execute("PRAGMA user_version = 999")
    newer.close()

    assert trainctl.ok("list", "--quiet").out == "kept\n"


def test_a_corrupt_event_is_said_and_not_fatal(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "bash", "-c", "true")
    log = trainctl.run_folder("r") / "attempt-1" / "events.jsonl"
    log.write_bytes(b'{"crc":"00000000","event":"stalled"}\n' + log.read_bytes())
    done = trainctl.ok("show", "r")

    assert "state        succeeded" in done.out
    assert f"{log}:1 is damaged and was left out" in done.err
    assert trainctl.show("r")["corrupt"] == [f"{log}:1"]


def test_a_damaged_job_is_named_and_can_be_deleted(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "bash", "-c", "true")
    (trainctl.run_folder("r") / "job.json").write_text("{")
    done = trainctl("show", "r")

    assert done.code == 1
    assert "trainctl delete r" in done.err
    trainctl.ok("list")
    trainctl.ok("delete", "--yes", "r")
    assert trainctl.ok("list", "--quiet").out == ""


def test_a_run_made_by_a_newer_trainctl_is_said(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "bash", "-c", "true")
    path = trainctl.run_folder("r") / "job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    done = trainctl("resume", "r")

    assert done.code == 1
    assert "newer" in done.err
    trainctl.ok("list")


def test_a_folder_that_is_no_run_is_listed_as_nothing(trainctl: CommandLine):
    trainctl.ok("run", "--name", "whole", "bash", "-c", "true")
    trainctl.run_folder("strange").mkdir(mode=0o700)

    assert trainctl.ok("list", "--quiet").out == "whole\n"
    assert trainctl("show", "strange").code == NOT_FOUND


@need.root()
@need.tool("unshare")
def test_a_full_disk_is_named_and_nothing_is_half_done(trainctl: CommandLine):
    trainctl.ok("list")
    script = (
        f"mount -t tmpfs -o size=200k,mode=700 none {trainctl.state} && "
        f"{sys.executable} -m trainctl list; "
        f"head -c 1M /dev/zero > {trainctl.state}/fill; "
        f"{sys.executable} -m trainctl run -d train.py; echo code $?; "
        f"rm {trainctl.state}/fill; {sys.executable} -m trainctl list; "
        f"ls {trainctl.state}/runs | wc -l"
    )
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        env=trainctl.env,
        cwd=trainctl.project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "code 1" in done.stdout
    assert done.stdout.splitlines()[-1].strip() == "0"
    assert "df -h" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_under_us_is_named(trainctl: CommandLine, tmp_path: Path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && {sys.executable} -m trainctl list"
    done = subprocess.run(
        ["bash", "-c", script], env=trainctl.env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "the current folder does not exist any more" in done.stderr


def test_a_reader_that_leaves_ends_a_listing_quietly(trainctl: CommandLine):
    trainctl.ok("run", "bash", "-c", "true")
    reader, writer = os.pipe()
    os.close(reader)
    started = subprocess.run(
        [*TRAINCTL, "list"], env=trainctl.env, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)

    assert started.returncode == 128 + signal.SIGPIPE
    assert started.stderr == b""


def test_a_reader_that_leaves_detaches_a_run(trainctl: CommandLine):
    started = trainctl.start("run", "--name", "r", "train.py", "--steps", "9", "--sleep", "0.1")
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.readline()
    started.stdout.close()
    told = started.stderr.read().decode()
    started.stderr.close()

    assert started.wait(20) == 0
    assert "nobody reads the output any more; r goes on" in told
    wait_until(lambda: not trainctl.show("r")["living"], "the run")
    assert trainctl.show("r")["reason"] == "succeeded"
