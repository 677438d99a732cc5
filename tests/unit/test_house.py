"""What the house promises: a small wrapper, locks that name no address, a light core."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

OLD = """#!/bin/sh
case "$1" in --version) echo "Python 3.8.18" ;; *) exit 1 ;; esac
"""
WITHOUT_VENV = """#!/bin/sh
case "$2" in
    *'< (3, 11)'*) exit 0 ;;
    *ensurepip*) exit 1 ;;
    *) exec {python} "$@" ;;
esac
"""


def test_the_wrapper_is_at_most_twenty_lines():
    assert len((ROOT / "run").read_text().splitlines()) <= 20


def test_an_old_python_is_refused_by_its_version(tmp_path: Path):
    said = wrapper_with_python(tmp_path, OLD)

    assert "needs Python 3.11 or newer" in said
    assert "Python 3.8.18" in said


def test_a_missing_venv_module_is_named_with_its_remedy(tmp_path: Path):
    said = wrapper_with_python(tmp_path, WITHOUT_VENV.format(python=sys.executable))

    assert re.search(r"no venv.*apt install python3\.\d+-venv", said)


def test_requirements_are_hashed_and_name_no_address():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text, lock
        assert text.count("==") > 0, lock
        for requirement in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in requirement, f"{lock.name}: {requirement}"


def test_the_core_installs_at_most_six_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) <= 6


def test_the_examples_do_not_know_trainctl():
    for script in (ROOT / "examples").glob("*.py"):
        assert not re.search(r"^\s*(import|from) trainctl", script.read_text(), re.MULTILINE)


def wrapper_with_python(folder: Path, python3: str) -> str:
    """What ./run says, in a fresh clone, where `python3` is this and nothing else is there."""
    tools = folder / "bin"
    tools.mkdir()
    for tool in ("cat", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tools / "python3").write_text(python3)
    (tools / "python3").chmod(0o755)
    shutil.copy(ROOT / "run", folder)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    env = {"PATH": str(tools)}
    done = subprocess.run(
        ["/bin/sh", folder / "run"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert not (folder / ".venv").exists()
    return done.stderr
