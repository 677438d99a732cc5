"""Which Python runs a script, and why. Looks at files and the environment; runs nothing.

The order, first come: `--python`; a PEP 723 block; an activated environment; `.venv`; `uv.lock`;
a `pyproject.toml` with `[project]` or a `requirements.txt`, where uv is there; `python3`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from trainctl.errors import NotFoundError

_READ_LIMIT = 1_000_000  # bytes of a file that is looked into
_PROJECT = re.compile(rb"^[ \t]*\[[ \t]*project[ \t]*\]", re.MULTILINE)
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_GET_UV = "install uv (pip install uv), or name a Python that has what it needs: --python PATH"


class World(NamedTuple):
    """What a choice may look at. which: a name on PATH to its path, as shutil.which does."""

    cwd: str
    environ: Mapping[str, str]
    which: Callable[[str], str | None]


class Interpreter(NamedTuple):
    """path: a Python, or uv. runs: what stands before a script's path or `-m`.

    folder: where its environment keeps programs; None where PATH or uv finds them.
    """

    path: str
    why: str
    runs: tuple[str, ...]
    folder: str | None = None
    script_only: bool = False  # runs a script by its own block, and nothing else

    @property
    def is_uv(self) -> bool:
        return self.runs[1:2] == ("run",)


def world_of(cwd: str, environ: Mapping[str, str]) -> World:
    """The real world, seen from this folder with this environment."""
    path = environ.get("PATH", os.defpath)

    def which(name: str) -> str | None:
        import shutil  # 3 ms, which most commands never need

        return shutil.which(name, path=path)

    return World(cwd, environ, which)


def choose_python(
    world: World, override: str | None = None, script: str | None = None
) -> Interpreter:
    """The interpreter for this script (an absolute path; None: a module or a program).

    Candidates that are there but of no use are said in the reason of the one that is taken.
    Raises NotFoundError when `override` leads nowhere, no Python is there, or a PEP 723 block
    needs a uv that is not.
    """
    if override is not None:
        return _named(override, world)
    if script is not None and has_inline_metadata(_read(script)):
        return _by_inline_metadata(world, script)
    passed: list[str] = []
    for candidate in _candidates(world):
        if isinstance(candidate, Interpreter):
            return candidate._replace(why="; ".join([candidate.why, *passed]))
        passed.append(candidate)
    raise NotFoundError(
        "there is no python3 on the PATH", hint="name one: trainctl run --python PATH ..."
    )


def has_inline_metadata(source: bytes) -> bool:
    """Whether a PEP 723 `# /// script` block opens and closes in this source."""
    opened = False
    for line in source.splitlines():
        if not opened:
            opened = line.rstrip() == b"# /// script"
        elif line.rstrip() == b"# ///":
            return True
        elif not line.startswith(b"#"):
            opened = False
    return False


def project_root(cwd: str) -> str:
    """The git top above `cwd`, else `cwd` itself."""
    for folder in _upwards(cwd):
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
    return cwd


def _named(override: str, world: World) -> Interpreter:
    why = "--python"
    path = os.path.join(world.cwd, os.path.expanduser(override))
    if os.path.isdir(path) and os.path.exists(os.path.join(path, "bin", "python")):
        return _environment(path, why)
    if os.sep in override or override.startswith("~"):
        found = path if os.path.isfile(path) and os.access(path, os.X_OK) else None
    else:
        found = world.which("python" + override if _VERSION.fullmatch(override) else override)
    if found is None:
        raise NotFoundError(
            f"--python {override}: there is no such Python",
            hint="give the path of a Python, of an environment, or a name on the PATH",
        )
    return Interpreter(found, why, (found,), os.path.dirname(found))


def _by_inline_metadata(world: World, script: str) -> Interpreter:
    uv = world.which("uv")
    if uv is None:
        name = os.path.basename(script)
        raise NotFoundError(f"{name} has a PEP 723 block, and uv is not there", hint=_GET_UV)
    return Interpreter(uv, "uv, for its PEP 723 block", (uv, "run", "--script"), script_only=True)


def _candidates(world: World) -> Iterator[Interpreter | str]:
    """Interpreters in their order; a text says why one that seems to be there is passed over."""
    root = project_root(world.cwd)
    folders = [folder for folder in _upwards(world.cwd) if _is_within(folder, root)]
    yield from _activated(world.environ)
    for folder in folders:
        if os.path.lexists(os.path.join(folder, ".venv")):
            yield _usable(os.path.join(folder, ".venv"), ".venv of the project")
    yield from _by_uv(world.which("uv"), folders)
    for name in ("python3", "python"):
        found = world.which(name)
        if found is not None:
            yield Interpreter(found, f"{name} on the PATH", (found,))


def _activated(environ: Mapping[str, str]) -> Iterator[Interpreter | str]:
    venv, conda = environ.get("VIRTUAL_ENV"), environ.get("CONDA_PREFIX")
    if venv:
        yield _usable(venv, "the activated environment")
    if conda and environ.get("CONDA_DEFAULT_ENV") != "base":
        yield _usable(conda, "the activated conda environment")


def _by_uv(uv: str | None, folders: list[str]) -> Iterator[Interpreter | str]:
    for folder in folders:
        if os.path.isfile(os.path.join(folder, "uv.lock")):
            yield _uv_run(uv, "uv.lock of the project") if uv else "its uv.lock needs uv"
    for folder in folders if uv else ():
        if _PROJECT.search(_read(os.path.join(folder, "pyproject.toml"))):
            yield _uv_run(uv, "[project] in pyproject.toml")
        requirements = os.path.join(folder, "requirements.txt")
        if os.path.isfile(requirements):
            options = ("--no-project", "--with-requirements", requirements)
            yield _uv_run(uv, "requirements.txt", options)


def _uv_run(uv: str | None, why: str, options: tuple[str, ...] = ()) -> Interpreter:
    program = uv or "uv"
    return Interpreter(program, f"uv, for {why}", (program, "run", *options, "python"))


def _usable(folder: str, why: str) -> Interpreter | str:
    if os.path.exists(os.path.join(folder, "bin", "python")):
        return _environment(folder, why)
    return f"{why} has no bin/python any more"


def _environment(folder: str, why: str) -> Interpreter:
    """The Python of an environment, by the path in it: its target would not know the packages."""
    path = os.path.join(folder, "bin", "python")
    return Interpreter(path, why, (path,), os.path.dirname(path))


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _is_within(folder: str, root: str) -> bool:
    return os.path.commonpath([folder, root]) == root


def _read(path: str) -> bytes:
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT)
    except OSError:
        return b""
