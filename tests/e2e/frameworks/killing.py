"""Real training scripts under trainctl, killed at random moments and resumed, to their end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

from tests import need
from tests.e2e.line import CommandLine, is_alive, wait_until

SCRIPTS = Path(__file__).parent / "scripts"
_SEEDS = 4
_SPAN_SECONDS = 1.2  # within which a kill strikes, once the attempt has saved something
_REFERENCE = """\
import importlib, sys
sys.path.insert(0, {folder!r})
script = importlib.import_module({module!r})
for seed in range({seeds}):
    loss = script.main([*{arguments!r}, {flag!r}, str(seed), {out!r}, f"reference-{{seed}}"])
    print("reference", repr(float(loss)))
"""


class Case(NamedTuple):
    """A script with arguments. exact: its framework restores all that its loss depends on."""

    module: str
    arguments: tuple[str, ...]
    out: str
    exact: bool
    packages: tuple[str, ...] = ("torch",)


CASES = {
    "trainer": Case(
        "trainer",
        (
            *("--max_steps", "3000", "--save_steps", "100", "--save_total_limit", "4"),
            *("--learning_rate", "1e-2", "--lr_scheduler_type", "constant"),
            *("--per_device_train_batch_size", "16", "--logging_steps", "500"),
            *("--use_cpu", "true", "--disable_tqdm", "true", "--report_to", "none"),
        ),
        "--output_dir",
        exact=True,
        packages=("torch", "transformers"),
    ),
    "lightning": Case(
        "lightning_fit",
        ("--epochs", "30"),
        "--save_dir",
        exact=False,
        packages=("torch", "pytorch_lightning"),
    ),
    "torch": Case("loop", ("--steps", "2500", "--save-every", "25"), "--out-dir", exact=True),
}


def needed() -> list[ParameterSet]:
    """The names of the cases, as parameters that say what each needs."""
    return [
        pytest.param(name, marks=[need.module(package) for package in case.packages])
        for name, case in CASES.items()
    ]


class Reference(NamedTuple):
    """What runs that nobody disturbs end at: with the seed of ours, and with others."""

    loss: float
    others: tuple[float, ...]

    def fits(self, loss: float) -> bool:
        """Within the noise of seeds, as far as so few of them show it."""
        seen = [self.loss, *self.others]
        noise = max(seen) - min(seen)
        return min(seen) - noise <= loss <= max(seen) + noise


class Outcome(NamedTuple):
    """passed: checkpoints that were passed over, in all resumes of the run together."""

    loss: float
    struck: int
    passed: int
    attempts: int


def reference(case: Case, folder: Path) -> Reference:
    """The losses of a few seeds, by one process, without trainctl."""
    text = _REFERENCE.format(
        folder=str(SCRIPTS),
        module=case.module,
        seeds=_SEEDS,
        arguments=case.arguments,
        flag="--seed",
        out=case.out,
    )
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    losses = [float(words[1]) for words in lines if words[:1] == ["reference"]]
    return Reference(losses[0], tuple(losses[1:]))


def killed_and_resumed(
    line: CommandLine, name: str, case: Case, randomness: random.Random, kills: int
) -> Outcome:
    """One run, killed so often, and its last attempt's loss."""
    for script in SCRIPTS.glob("*.py"):
        line.write(script.name, script.read_text())
    words = ("--seed", "0", case.out, f"out-{name}")
    line.ok("run", "-d", "--name", name, f"{case.module}.py", *case.arguments, *words)
    struck = passed = 0
    for attempt in range(1, kills + 1):
        struck += _strike(line, name, attempt, randomness)
        line.until_rest(name)
        done = line.ok("resume", "-d", name)
        passed += done.err.count("passed over")
    told = line.until_rest(name)
    last = len(told["attempts"])
    log = line.log(name, last)
    assert told["reason"] == "succeeded", log
    assert all(one["resumed_from"] for one in told["attempts"][1:])
    final = next(words for words in log.splitlines() if words.startswith("final loss="))
    return Outcome(float(final.partition("=")[2]), struck, passed, last)


def _strike(line: CommandLine, name: str, attempt: int, randomness: random.Random) -> bool:
    """SIGKILL at a random moment after the attempt's first save; whether it was still alive."""
    out = line.project / f"out-{name}"
    wait_until(lambda: _pid(line, name, attempt), "the trainer")
    pid = line.pid(name, "trainer", attempt)
    began = time.time()
    wait_until(lambda: _saved_since(out, began) or not is_alive(pid), "a checkpoint")
    time.sleep(randomness.random() * _SPAN_SECONDS)
    alive = is_alive(pid)
    if alive:
        os.kill(pid, signal.SIGKILL)
    return alive


def _pid(line: CommandLine, name: str, attempt: int) -> bool:
    try:
        return line.pid(name, "trainer", attempt) > 0
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _saved_since(out: Path, began: float) -> bool:
    def saved(path: Path) -> bool:
        try:
            return path.stat().st_mtime >= began
        except OSError:  # pruned by its own framework
            return False

    return any(map(saved, out.glob("*")))
