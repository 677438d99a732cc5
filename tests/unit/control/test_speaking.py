"""What is said before an attempt goes on: how many ranks it has, what its script will take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import jobs
from trainctl.control import speaking
from trainctl.kit.names import Home
from trainctl.records.job import Job


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(str(tmp_path))


def job(home: Home, command: str, script: int | None, **changes: Any) -> Job:
    words = command.split()
    kind = "program" if script is None else "script"
    at = len(words) if script is None else script + 1
    return jobs.job_of(
        home.run("r"), "local", words, script=script, kind=kind, arguments_at=at, **changes
    )


@pytest.mark.parametrize(
    ("command", "script", "ranks"),
    [
        ("python train.py", 1, 1),
        ("torchrun --nproc_per_node=4 train.py", 2, 4),
        ("torchrun --nproc-per-node 2 train.py --nproc-per-node 9", 3, 2),
        ("torchrun --nproc_per_node gpu train.py", 3, None),
        ("torchrun --nnodes=2 --nproc_per_node=4 train.py", 3, None),
        ("accelerate launch --num_processes 8 train.py", 4, 8),
        ("nice torchrun train.py", 2, None),
        ("bash train.sh", None, None),
    ],
)
def test_ranks_are_told_where_the_command_tells_them(
    home: Home, command: str, script: int | None, ranks: int | None
):
    assert speaking.ranks_of(job(home, command, script)) == ranks


def test_ranks_of_a_group_of_ours_are_known(home: Home):
    assert speaking.ranks_of(job(home, "python train.py", 1, nproc=3)) == 3
    assert speaking.ranks_of(job(home, "python train.py", 1, nproc="auto")) is None


def test_a_script_that_takes_no_path_is_said_to(home: Home, tmp_path: Path):
    script = tmp_path / "train.py"
    script.write_text("import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr')\n")
    (tmp_path / "a.pt").write_bytes(b"\x80\x04.")
    made = job(home, f"python {script}", 1, source=str(script))
    deaf, *_ = speaking.first(made, str(tmp_path / "a.pt"))
    switch = made._replace(resume={**made.resume, "args": ["--resume"]})
    by_itself, *_ = speaking.first(switch, str(tmp_path / "a.pt"))

    assert "only the variable TRAINCTL_RESUME_FROM names it" in deaf
    assert "train.py finds its newest checkpoint by itself" in by_itself


def test_what_is_said_is_told_at_once_where_somebody_listens():
    heard: list[str] = []

    assert speaking.say(["a", "b"], heard.append) == []
    assert heard == ["a", "b"]
    assert speaking.say(["a"], None) == ["a"]
