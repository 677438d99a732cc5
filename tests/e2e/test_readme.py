"""What the README says to type works as it stands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests import need
from tests.e2e.line import CommandLine

ROOT = Path(__file__).parents[2]
WRAPPED = "./run "


def commands(text: str) -> list[str]:
    """The lines behind `$ ` in its console blocks, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]


TYPED = commands((ROOT / "README.md").read_text())


def test_it_leads_somewhere():
    assert f"{WRAPPED}demo" in TYPED
    assert any(typed.startswith("trainctl run ") for typed in TYPED)


@pytest.mark.parametrize("typed", [typed for typed in TYPED if typed.startswith(WRAPPED)])
def test_tasks_of_the_wrapper_exist(typed: str):
    task = shlex.split(typed)[1]

    assert os.access(ROOT / "run", os.X_OK)
    assert re.search(rf"^{task}( .*)?:", (ROOT / "justfile").read_text(), re.MULTILINE)


@need.module("sklearn")
@need.module("safetensors")
def test_its_tour_can_be_typed_from_top_to_bottom(trainctl: CommandLine):
    shutil.copytree(ROOT / "examples", trainctl.project / "examples")
    for typed in TYPED:
        if typed.startswith(WRAPPED) or needs_torch(typed):
            continue
        words = shlex.split(typed)
        assert words[0] == "trainctl", f"how is this to be tested? {typed}"
        trainctl.ok(*words[1:])


@need.module("torch")
def test_its_larger_example_can_be_typed_smaller(trainctl: CommandLine):
    shutil.copytree(ROOT / "examples", trainctl.project / "examples")
    (typed,) = [typed for typed in TYPED if needs_torch(typed)]
    smaller = ["--steps=3", "--layers=1", "--embed=32", "--sample=20", "--threads=1"]

    trainctl.ok(*shlex.split(typed)[1:], *smaller)


def needs_torch(typed: str) -> bool:
    return "charlm" in typed
