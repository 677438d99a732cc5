"""What is installed, by the names of metadata folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trainctl.control import versions


def test_packages_are_read_from_names_alone_and_the_first_on_the_path_counts(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for name in ("torch-2.13.0+cpu.dist-info", "Scikit_Learn-1.9.1.dist-info", "torch"):
        (first / name).mkdir(parents=True)
    for name in ("torch-1.0.dist-info", "old-0.1-py3.11.egg-info"):
        (second / name).mkdir(parents=True)

    assert versions.installed([str(first), str(tmp_path / "none"), str(second)]) == {
        "old": "0.1",
        "scikit-learn": "1.9.1",
        "torch": "2.13.0+cpu",
    }


def test_a_python_is_asked_for_its_exact_version():
    asked = versions.ask({"path": sys.executable, "why": ""}, "/", dict(os.environ))
    told = versions.describe(asked)

    assert told is not None
    assert told["version"] == ".".join(map(str, sys.version_info[:3]))
    assert "click" in told["packages"]


def test_a_python_that_cannot_be_asked_is_left_unknown(tmp_path: Path):
    gone = versions.ask({"path": str(tmp_path / "python"), "why": ""}, "/", {})
    failing = versions.ask({"path": "/bin/false", "why": ""}, "/", {})

    assert versions.describe(gone) is None
    assert versions.describe(failing) is None
    assert versions.ask(None, "/", {}) is None
