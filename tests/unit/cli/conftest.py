"""A place of its own for each test of a command, and its answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trainctl.cli.main import run


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What the envelope holds."""
        envelope = json.loads(self.out)
        assert envelope["schema"] == "trainctl/1"
        return envelope["error" if envelope["kind"] == "error" else "data"]


Trainctl = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, in a home of its own, with no variable of ours set."""
    for name in os.environ:
        if name.startswith("TRAINCTL_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", f"{tmp_path}")
    monkeypatch.setenv("TRAINCTL_HOME", f"{tmp_path}/state")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def trainctl(project: Path, capfd: pytest.CaptureFixture[str]) -> Trainctl:
    """The command line, as a function."""

    def call(*words: str) -> Answer:
        code = run([*words])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call
