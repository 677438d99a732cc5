"""Real training outlives its terminal and every trainctl process, and ends the same in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import need
from tests.e2e.line import CommandLine, is_alive, wait_until
from tests.e2e.terminal import Terminal

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "digits": ["--epochs=12", "--save-every=2"],
    "charlm": ["--steps=60", "--save-every=10", "--layers=1", "--embed=32", "--threads=1"],
}
SLOWER = {"digits": ["--sleep=0.3"], "charlm": []}


@pytest.fixture(params=["digits", pytest.param("charlm", marks=need.module("torch"))])
def example(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_run_survives_its_terminal_and_kill_9_of_all_of_us_and_ends_with_the_same_loss(
    trainctl: CommandLine, example: str, tmp_path: Path
):
    terminal = Terminal(trainctl, ["run", "--name=r", *command(example)])
    wait_until(lambda: saved(trainctl), "a checkpoint")
    terminal.close()
    wait_until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0], "the end of the command line")
    trainer = trainctl.pid("r", "trainer")
    for ours in (trainctl.pid("r", "waiter"), trainctl.agent("r")):
        os.kill(ours, signal.SIGKILL)
    assert is_alive(trainer)

    trainctl.ok("list")  # any command looks after it again
    os.kill(trainer, signal.SIGKILL)
    told = trainctl.until_rest("r")
    assert told["reason"] == "unknown_exit"
    assert told["state"] == "interrupted"
    trainctl.ok("resume", "r", *(["--sleep=0"] if example == "digits" else []))

    assert trainctl.show("r")["reason"] == "succeeded"
    assert final_line(trainctl.log("r", 2)) == final_line(undisturbed(example, tmp_path))


@need.module("sklearn")
def test_a_run_that_was_stopped_in_time_saves_and_ends_with_the_same_loss(
    trainctl: CommandLine, tmp_path: Path
):
    trainctl.ok("run", "-d", "--name", "r", *command("digits"))
    wait_until(lambda: saved(trainctl), "a checkpoint")
    trainctl.ok("stop", "r")
    trainctl.ok("resume", "r", "--sleep=0")

    assert final_line(trainctl.log("r", 2)) == final_line(undisturbed("digits", tmp_path))


@need.module("sklearn")
def test_after_a_crash_it_goes_on_by_itself_and_ends_with_the_same_loss(
    trainctl: CommandLine, tmp_path: Path
):
    trainctl.ok("run", "-d", "--name", "r", "--retries", "1", *command("digits"))
    wait_until(lambda: saved(trainctl), "a checkpoint")
    os.kill(trainctl.pid("r", "trainer"), signal.SIGKILL)
    told = trainctl.until_rest("r")

    assert [attempt["reason"] for attempt in told["attempts"]] == ["failed", "succeeded"]
    assert final_line(trainctl.log("r", 2)) == final_line(undisturbed("digits", tmp_path))


@need.module("torch")
def test_a_group_of_workers_meets_and_each_has_its_log(trainctl: CommandLine):
    trainctl.write(
        "group.py",
        "import torch.distributed as group\n"
        "group.init_process_group('gloo')\n"
        "print('worker', group.get_rank(), 'of', group.get_world_size(), flush=True)\n"
        "group.barrier()\n"
        "group.destroy_process_group()\n",
    )
    trainctl.ok("run", "--nproc", "2", "group.py")

    assert trainctl.ok("logs", "--rank", "1").out.strip() == "worker 1 of 2"
    assert "[default0]:worker 0 of 2" in trainctl.ok("logs").out
    assert "there are: 0, 1" in trainctl("logs", "--rank", "2").err


def command(example: str) -> list[str]:
    return [str(EXAMPLES / f"{example}.py"), *COMMANDS[example], *SLOWER[example]]


def saved(trainctl: CommandLine) -> bool:
    folder = trainctl.run_folder("r") / "checkpoints"
    return any(path.suffix != ".tmp" for path in folder.glob("step_*"))


def undisturbed(example: str, folder: Path) -> str:
    words = [sys.executable, str(EXAMPLES / f"{example}.py"), *COMMANDS[example]]
    env = {k: v for k, v in os.environ.items() if not k.startswith("TRAINCTL_")}
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def final_line(output: str) -> str:
    line = output.rstrip().splitlines()[-1]
    assert line.startswith("final loss="), output
    return line
