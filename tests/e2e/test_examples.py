"""The examples keep their own promise, without trainctl: what is interrupted and resumed ends the
same, to the last bit, as what is not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import need

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "digits": ["--epochs=12", "--save-every=2"],
    "charlm": ["--steps=60", "--save-every=10", "--layers=1", "--embed=32", "--threads=1"],
}
SLOWER = {"digits": ["--sleep=0.2"], "charlm": []}  # so that a kill can hit

Uninterrupted = Callable[[str], str]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """The last line of an example that nobody disturbed; each is run once."""
    known: dict[str, str] = {}

    def last_line(example: str) -> str:
        if example not in known:
            known[example] = final_line(example, tmp_path_factory.mktemp(example))
        return known[example]

    return last_line


@pytest.fixture(params=["digits", pytest.param("charlm", marks=need.module("torch"))])
def example(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_run_killed_after_a_checkpoint_resumes_to_the_same_final_loss(
    example: str, tmp_path: Path, uninterrupted: Uninterrupted
):
    newest = interrupt(example, tmp_path, signal.SIGKILL, expected_code=-signal.SIGKILL)

    assert final_line(example, tmp_path, f"--resume={newest}") == uninterrupted(example)


def test_a_run_asked_to_stop_saves_first_and_resumes_to_the_same_final_loss(
    example: str, tmp_path: Path, uninterrupted: Uninterrupted
):
    newest = interrupt(example, tmp_path, signal.SIGTERM, expected_code=143)

    assert final_line(example, tmp_path, f"--resume={newest}") == uninterrupted(example)


def test_checkpoints_go_where_trainctl_says(example: str, tmp_path: Path):
    command = [sys.executable, EXAMPLES / f"{example}.py", *COMMANDS[example]]
    env = environment() | {"TRAINCTL_CHECKPOINT_DIR": str(tmp_path / "told")}
    subprocess.run(command, cwd=tmp_path, env=env, check=True, stdout=subprocess.DEVNULL)

    assert checkpoints(tmp_path / "told")
    assert [path.name for path in tmp_path.iterdir()] == ["told"]


def test_digits_learns(uninterrupted: Uninterrupted):
    assert loss(uninterrupted("digits")) < 0.6


@need.module("torch")
def test_charlm_learns(uninterrupted: Uninterrupted):
    assert loss(uninterrupted("charlm")) < 3.0  # guessing among 62 characters costs 4.13


def final_line(example: str, folder: Path, *more: str) -> str:
    command = line(example, folder, [*COMMANDS[example], *more])
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def interrupt(example: str, folder: Path, number: int, expected_code: int) -> Path:
    """Signal a new run once it has written two checkpoints; returns the newest one it left."""
    for left in checkpoints(folder):
        left.unlink()
    command = line(example, folder, [*COMMANDS[example], *SLOWER[example]])
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as training:
        wait_until(lambda: len(checkpoints(folder)) >= 2, training)
        training.send_signal(number)
        assert training.wait(30) == expected_code
    return checkpoints(folder)[-1]


def line(example: str, folder: Path, arguments: Sequence[str]) -> list[str | Path]:
    return [sys.executable, EXAMPLES / f"{example}.py", f"--out-dir={folder}", *arguments]


def checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step_*") if path.suffix != ".tmp")


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("TRAINCTL_")}


def loss(final: str) -> float:
    return float(final.removeprefix("final loss="))


def wait_until(true: Callable[[], bool], training: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert training.poll() is None, "the training ended first"
        assert time.monotonic() < deadline, "no checkpoint within a minute"
        time.sleep(0.005)
