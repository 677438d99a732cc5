from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from trainctl.control.pythons import World, choose_python, has_inline_metadata, world_of
from trainctl.errors import NotFoundError

BLOCK = b"# /// script\n# dependencies = []\n# ///\n"
ON_PATH = {"python3": "/usr/bin/python3", "uv": "/usr/bin/uv"}


def environment(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.touch(mode=0o755)
    return python


def world(cwd: Path, environ: Mapping[str, str] | None = None, **programs: str) -> World:
    return World(str(cwd), environ or {}, (programs or ON_PATH).get)


def test_a_bare_folder_gets_python3_of_the_path(tmp_path):
    chosen = choose_python(world(tmp_path))
    assert (chosen.runs, chosen.why) == (("/usr/bin/python3",), "python3 on the PATH")


def test_where_there_is_no_python3_python_will_do(tmp_path):
    assert choose_python(world(tmp_path, python="/opt/python")).path == "/opt/python"


def test_each_candidate_wins_over_those_after_it(tmp_path):
    """Built from the weakest up; each step is chosen although all before it are still there."""
    script = tmp_path / "train.py"
    script.touch()

    def why(override: str | None = None, **environ: str) -> str:
        return choose_python(world(tmp_path, environ), override, str(script)).why

    assert why() == "python3 on the PATH"
    (tmp_path / "requirements.txt").touch()
    assert why() == "uv, for requirements.txt"
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert why() == "uv, for [project] in pyproject.toml"
    (tmp_path / "uv.lock").touch()
    assert why() == "uv, for uv.lock of the project"
    environment(tmp_path / ".venv")
    assert why() == ".venv of the project"
    environment(tmp_path / "conda")
    conda = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "train"}
    assert why(**conda) == "the activated conda environment"
    environment(tmp_path / "venv")
    assert why(VIRTUAL_ENV=str(tmp_path / "venv"), **conda) == "the activated environment"
    script.write_bytes(BLOCK)
    assert why(VIRTUAL_ENV=str(tmp_path / "venv")) == "uv, for its PEP 723 block"
    assert why("./venv") == "--python"


def test_the_base_environment_of_conda_counts_for_nothing(tmp_path):
    environment(tmp_path / "conda")
    base = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "base"}
    assert choose_python(world(tmp_path, base)).why == "python3 on the PATH"


def test_a_pyproject_that_only_configures_tools_counts_for_nothing(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n[project_of_mine]\n# [project]\n")
    assert choose_python(world(tmp_path)).why == "python3 on the PATH"


def test_the_environment_is_looked_for_up_to_the_top_of_the_project(tmp_path):
    environment(tmp_path / ".venv")
    inner = tmp_path / "project" / "scripts"
    inner.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    assert choose_python(world(inner)).why == "python3 on the PATH"
    python = environment(tmp_path / "project" / ".venv")
    assert choose_python(world(inner)).path == str(python)


def test_outside_of_a_repository_only_the_folder_itself_counts(tmp_path):
    environment(tmp_path / ".venv")
    (tmp_path / "inner").mkdir()
    assert choose_python(world(tmp_path / "inner")).why == "python3 on the PATH"


def test_an_environment_is_not_followed_to_the_python_behind_it(tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/bin/sh")
    assert choose_python(world(tmp_path)).path == str(tmp_path / ".venv" / "bin" / "python")


def test_what_is_passed_over_is_said(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / "uv.lock").touch()
    chosen = choose_python(world(tmp_path, {"VIRTUAL_ENV": "/gone"}, python3="/usr/bin/python3"))
    assert chosen.why == (
        "python3 on the PATH; the activated environment has no bin/python any more; "
        ".venv of the project has no bin/python any more; its uv.lock needs uv"
    )


def test_without_uv_a_project_is_run_by_what_is_there(tmp_path):
    (tmp_path / "requirements.txt").touch()
    assert choose_python(world(tmp_path, python3="/usr/bin/python3")).path == "/usr/bin/python3"


def test_uv_is_told_the_requirements(tmp_path):
    (tmp_path / "requirements.txt").touch()
    assert choose_python(world(tmp_path)).runs == (
        "/usr/bin/uv",
        "run",
        "--no-project",
        "--with-requirements",
        str(tmp_path / "requirements.txt"),
        "python",
    )


def test_a_block_without_uv_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "train.py").write_bytes(BLOCK)
    with pytest.raises(NotFoundError, match=r"train\.py has a PEP 723 block") as caught:
        choose_python(world(tmp_path, python3="/p"), script=str(tmp_path / "train.py"))
    assert "install uv" in str(caught.value.hint)


def test_no_python_at_all_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(NotFoundError, match="no python3") as caught:
        choose_python(world(tmp_path, nothing="/x"))
    assert "--python" in str(caught.value.hint)


def test_a_python_can_be_named_by_path_environment_version_or_name(tmp_path):
    python = environment(tmp_path / "env")
    here = World(str(tmp_path), {}, {"python3.12": "/usr/bin/python3.12"}.get)
    assert choose_python(here, "env").path == str(python)
    assert choose_python(here, "./env/bin/python").path == f"{tmp_path}/./env/bin/python"
    assert choose_python(here, "3.12").path == "/usr/bin/python3.12"
    assert choose_python(here, "python3.12").path == "/usr/bin/python3.12"
    for absent in ("./absent", "python9", "~/absent"):
        with pytest.raises(NotFoundError, match="no such Python"):
            choose_python(here, absent)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (BLOCK, True),
        (b"#!/usr/bin/env python\n\n" + BLOCK.replace(b"\n", b"\r\n"), True),
        (b"# /// script\n# dependencies = []\n", False),
        (b"# /// script\nimport x\n# ///\n", False),
        (b"# /// other\n# ///\n", False),
        (b"x = '# /// script'\n", False),
        (b"", False),
    ],
)
def test_an_inline_block_counts_when_it_opens_and_closes(source, expected):
    assert has_inline_metadata(source) is expected


def test_the_real_world_is_seen_through_the_environment_that_is_handed_over(tmp_path):
    program = tmp_path / "python3"
    program.touch(mode=0o755)
    assert world_of(str(tmp_path), {"PATH": str(tmp_path)}).which("python3") == str(program)
    assert world_of(os.sep, {"PATH": ""}).which("python3") is None
