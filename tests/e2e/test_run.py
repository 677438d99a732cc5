"""`trainctl run`: what passes through, what is recorded, and what is ours."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests import need
from tests.e2e.line import CommandLine, wait_until

AWKWARD = [
    "two words",
    "it's",
    '"quoted"',
    "new\nline",
    "",
    "--detach",
    "-x",
    "--",
    "--json",
    "-h",
    "*",
    "\x1b[31mred",
    "{checkpoint}",
    "$HOME",
]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_scripts(trainctl: CommandLine, code: int):
    assert trainctl("run", "train.py", "--exit", str(code)).code == code


def test_a_script_killed_by_a_signal_gives_128_and_its_number(trainctl: CommandLine):
    done = trainctl("run", "bash", "-c", "kill -9 $$")

    assert done.code == 128 + signal.SIGKILL
    assert "killed by SIGKILL" in done.err


def test_output_passes_byte_for_byte_and_our_words_go_to_stderr(trainctl: CommandLine):
    started = trainctl.start("run", "bash", "-c", r"printf 'a\r\xff\x1b[1mb'; printf c >&2")
    out, err = started.communicate()

    assert out == b"a\r\xff\x1b[1mbc"
    assert b"log" in err.splitlines()[0]
    assert b"next: trainctl show" in err.splitlines()[-1]


def test_arguments_pass_untouched_whatever_they_look_like(trainctl: CommandLine):
    done = trainctl("run", "echo.py", *AWKWARD, b"\xff\xfe")

    assert json.loads(done.out) == [*AWKWARD, "\xff\xfe"]
    assert "\x1b" not in trainctl.ok("list").out
    assert "\x1b" not in trainctl.ok("show").out
    assert trainctl.show()["job"]["typed"][1 : len(AWKWARD) + 1] == AWKWARD
    assert len(trainctl.ok("list", "--json").data["runs"]) == 1


def test_detached_prints_the_name_alone_and_returns(trainctl: CommandLine):
    done = trainctl.ok("run", "--detach", "--name", "far", "train.py", "--sleep", "0.1")

    assert done.out == "far\n"
    assert trainctl.until_rest("far")["reason"] == "succeeded"
    assert trainctl.log("far") == "step 1\nstep 2\nstep 3\n"


def test_local_is_another_spelling_of_run(trainctl: CommandLine):
    assert trainctl("local", "train.py", "--exit", "4").code == 4


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["-m", "json.tool", "given.json"], "{}"),
        (["python3", "echo.py", "a"], '["a"]'),
        (["--", "bash", "-c", "echo hi"], "hi"),
        (["--nproc", "1", "echo.py", "--nproc", "3"], '["--nproc", "3"]'),
    ],
    ids=["module", "python", "after two dashes", "group"],
)
def test_what_can_be_run(trainctl: CommandLine, command: list[str], expected: str):
    if "--nproc" in command[:1]:
        pytest.importorskip("torch", reason="not run: needs the Python package torch")
    trainctl.write("given.json", "{}")

    assert expected in trainctl.ok("run", *command).out


def test_the_trainer_finds_its_run_in_the_environment(trainctl: CommandLine):
    env = environment_of_a_run(trainctl, "--name", "me")
    folder = trainctl.run_folder("me")

    assert {k: v for k, v in env.items() if k.startswith(("TRAINCTL_", "WANDB_"))} == {
        "TRAINCTL_HOME": str(trainctl.state),
        "TRAINCTL_RUN": "me",
        "TRAINCTL_RUN_DIR": str(folder),
        "TRAINCTL_ATTEMPT": "1",
        "TRAINCTL_METRICS": str(folder / "attempt-1" / "metrics.jsonl"),
        "TRAINCTL_CHECKPOINT_DIR": str(folder / "checkpoints"),
        "TRAINCTL_DEVICE": env["TRAINCTL_DEVICE"],
        "WANDB_RUN_ID": "me",
        "WANDB_RESUME": "allow",
    }
    assert env["TRAINCTL_DEVICE"] in {"cuda", "mps", "cpu"}


def test_a_wandb_id_of_ones_own_stays(trainctl: CommandLine):
    env = environment_of_a_run(trainctl, "--env", "WANDB_RUN_ID=mine")

    assert env["WANDB_RUN_ID"] == "mine"
    assert "WANDB_RESUME" not in env


def test_a_run_inside_a_run_is_a_run_of_its_own(trainctl: CommandLine):
    trainctl.write("outer.sh", "python -m trainctl run --name inner envp.py\n")
    trainctl.write("envp.py", "import os; print(os.environ['TRAINCTL_RUN'])")

    assert "\ninner\n" in trainctl.ok("run", "--name", "outer", "bash", "outer.sh").out
    assert {row["name"] for row in trainctl.ok("list", "--json").data["runs"]} == {
        "inner",
        "outer",
    }


def test_variables_are_set_demanded_and_read_from_a_file(trainctl: CommandLine):
    trainctl.write(".env", '# mine\nexport A=1\nB="two words"\n')
    given = ["--env", "C=3", "--env", "HF_TOKEN", "--env-file", ".env"]
    env = environment_of_a_run(trainctl, *given, HF_TOKEN="secret")

    assert [env[name] for name in ("A", "B", "C", "HF_TOKEN")] == ["1", "two words", "3", "secret"]


def test_a_secret_is_in_no_file_but_one_and_in_none_afterwards(trainctl: CommandLine):
    secret = "s3cr3t-v4lue"
    trainctl.ok(
        *("run", "-d", "--name", "hush", "--env", f"API_KEY={secret}", "--env", "HF_TOKEN"),
        *("train.py", "--steps", "100", "--sleep", "0.1"),
        HF_TOKEN=secret,
    )
    wait_until(lambda: trainctl.log("hush"), "the first line")

    assert files_with(trainctl.state, secret) == ["secrets.env"]
    assert (trainctl.run_folder("hush") / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert trainctl.show("hush")["job"]["env_names"] == ["API_KEY", "HF_TOKEN"]

    trainctl.ok("stop", "hush")
    assert files_with(trainctl.state, secret) == []


def test_it_runs_in_the_folder_that_is_named_with_the_settings_there(trainctl: CommandLine):
    trainctl.write("sub/where.py", "import os; print(os.getcwd())")
    trainctl.write("sub/trainctl.toml", 'tags = ["from-sub"]')

    assert trainctl.ok("run", "--cwd", "sub", "where.py").out.strip().endswith("/project/sub")
    assert trainctl.show()["job"]["tags"] == ["from-sub"]


def test_a_tty_is_given_when_asked_for(trainctl: CommandLine):
    ask = "import sys; print(sys.stdout.isatty())"

    assert "True" in trainctl.ok("run", "--tty", "python", "-c", ask).out
    assert "False" in trainctl.ok("run", "python", "-c", ask).out


def test_the_checkpoint_folder_is_handed_over_and_watched(trainctl: CommandLine):
    save = "import os; open(os.environ['TRAINCTL_CHECKPOINT_DIR'] + '/step_7.pt', 'w').write('x')"
    trainctl.write("save.py", save)
    trainctl.ok("run", "--checkpoint-dir", "mine", "save.py")

    (seen,) = trainctl.show()["attempts"][0]["checkpoints"]
    assert seen["path"] == str(trainctl.project / "mine" / "step_7.pt")
    assert seen["step"] == 7


def test_a_folder_with_checkpoints_of_another_run_is_said_before(trainctl: CommandLine):
    trainctl.ok("run", "train.py")

    assert "out already holds 3 checkpoints" in trainctl.ok("run", "train.py").err


def test_a_run_is_stopped_when_its_hours_are_over(trainctl: CommandLine):
    done = trainctl("run", "--max-hours", "0.0002", "train.py", "--steps", "999", "--sleep", "0.1")

    assert done.code == 128 + signal.SIGTERM
    assert "deadline after" in done.err


def test_a_run_follows_another_that_succeeds(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "first", "train.py", "--sleep", "0.7")
    done = trainctl.ok("run", "--name", "second", "--after", "first", "train.py")

    assert "second is queued: it waits for first to succeed" in done.err
    first, second = (trainctl.show(name)["attempts"][0] for name in ("first", "second"))
    assert second["checkpoints"][0]["mtime"] > first["ended"]


def test_a_run_does_not_follow_one_that_fails(trainctl: CommandLine):
    trainctl("run", "--name", "first", "train.py", "--exit", "1")
    done = trainctl("run", "--after", "first", "train.py")

    assert done.code == 125
    assert "first, which it was to follow, ended as failed" in done.err


def test_the_record_is_complete(trainctl: CommandLine):
    git(trainctl.project, "init", "--quiet")
    git(trainctl.project, "add", ".")
    git(trainctl.project, "commit", "--quiet", "-m", "first")
    with (trainctl.project / "train.py").open("a") as file:
        file.write("# mended\n")
    trainctl.write("new.py", "")
    trainctl.ok("run", "train.py")
    told = trainctl.show()
    job, code, (attempt,) = told["job"], told["code"], told["attempts"]

    assert job["typed"] == ["train.py"]
    assert job["interpreter"]["why"]
    assert job["host"]["cpus"] >= 1
    assert code["python"]["version"].count(".") == 2
    assert code["python"]["packages"]["click"]
    assert len(code["commit"]) == 40
    assert (code["dirty"], code["changed"], "new.py" in code["untracked"]) == (
        True,
        ["train.py"],
        True,
    )
    assert "+# mended" in trainctl.ok("show", "--diff").out
    assert attempt["code"] == 0
    assert attempt["max_rss_bytes"] > 1_000_000
    assert attempt["cpu_seconds"] > 0
    assert attempt["started"] < attempt["ended"]


@need.tool("git")
def test_the_recorded_diff_reaches_into_submodules(trainctl: CommandLine, tmp_path: Path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "model.py").write_text("layers = 1\n")
    for folder in (inner, trainctl.project):
        git(folder, "init", "--quiet")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", "first")
    git(trainctl.project, "-c", "protocol.file.allow=always", "submodule", "add", str(inner), "m")
    git(trainctl.project, "commit", "--quiet", "-m", "second")
    (trainctl.project / "m" / "model.py").write_text("layers = 2\n")
    trainctl.ok("run", "train.py")

    assert "+layers = 2" in trainctl.ok("show", "--diff").out


def environment_of_a_run(trainctl: CommandLine, *options: str, **env: str) -> dict[str, str]:
    trainctl.write("envp.py", "import json, os; print(json.dumps(dict(os.environ)))")
    return json.loads(trainctl.ok("run", *options, "envp.py", **env).out)


def files_with(folder: Path, text: str) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
