"""Checkpoints that frameworks made: each maker runs once a session, when it is first asked for."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.made import SAID
from tests.frameworks.table import NEEDS

ROOT = Path(__file__).parents[2]
SECONDS = 180

Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def made_by(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The folder with what this maker's framework wrote."""
    folders: dict[str, Path] = {}

    def make(maker: str) -> Path:
        for module in NEEDS[maker]:
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"not run: needs the Python package {module}")
        if maker not in folders:
            folders[maker] = run(maker, tmp_path_factory.mktemp(maker))
        return folders[maker]

    return make


def run(maker: str, folder: Path) -> Path:
    keep = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}
    }
    environment = {
        **keep,
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", f"tests.frameworks.make_{maker}", str(folder)],
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


def said(folder: Path) -> dict[str, Any]:
    return json.loads((folder / SAID).read_text())
