"""Where settings files lie: the user's own one, and the project's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from trainctl.config.tomltext import MAX_BYTES, parse_toml, read_text
from trainctl.errors import ConfigError

FILE = "trainctl.toml"
PYPROJECT = "pyproject.toml"
SECTION = "tool.trainctl"

# `tool.trainctl`, a bare `[tool]`, `tool = {`: one of them stands in every file with the section.
_MAY_HAVE_SECTION = (
    rb"tool[\"']?[ \t]*\.[ \t]*[\"']?trainctl"
    rb"|^[ \t]*(?:\[[ \t]*[\"']?tool[\"']?[ \t]*\]|[\"']?tool[\"']?[ \t]*=)"
)


class Place(NamedTuple):
    """A settings file that may or may not exist; `section` is where in it settings stand."""

    path: str
    owner: str  # "user" or "project"
    section: str = ""


def user_home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def expanded(path: str, environ: Mapping[str, str]) -> str:
    """`~` and `~/x` by the HOME that was handed over."""
    if path == "~" or path.startswith("~/"):
        return user_home(environ) + path[1:]
    return path


def user_place(cwd: str, environ: Mapping[str, str]) -> Place:
    """The user's own file: TRAINCTL_CONFIG, or config.toml in the XDG folder.

    Raises ConfigError when TRAINCTL_CONFIG names what is not there.
    """
    named = environ.get("TRAINCTL_CONFIG")
    if named:
        path = os.path.join(cwd, expanded(named, environ))
        if not os.path.exists(path):
            raise ConfigError(
                f"TRAINCTL_CONFIG names {path}, which does not exist",
                hint="create the file, or: unset TRAINCTL_CONFIG",
            )
        return Place(path, "user")
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # the specification: relative paths are to be ignored
        folder = os.path.join(user_home(environ), ".config")
    return Place(os.path.join(folder, "trainctl", "config.toml"), "user")


def project_place(cwd: str) -> Place | None:
    """The nearest settings of the project: in cwd, or above it up to the top of the git tree.

    Outside a git tree only cwd counts, so that nobody's file in /tmp speaks for everybody.
    Raises ConfigError when a folder holds both kinds, or one that cannot be read.
    """
    for folder in _up_to_git_top(cwd):
        own = os.path.join(folder, FILE)
        pyproject = os.path.join(folder, PYPROJECT)
        has_own, has_section = os.path.lexists(own), _has_section(pyproject)
        if has_own and has_section:
            raise ConfigError(
                f"{folder} has both {FILE} and [{SECTION}] in {PYPROJECT}",
                hint=f"keep {FILE}, and delete [{SECTION}] from {pyproject}",
            )
        if has_own:
            return Place(own, "project")
        if has_section:
            return Place(pyproject, "project", SECTION)
    return None


def _up_to_git_top(cwd: str) -> Iterator[str]:
    folders: list[str] = []
    folder = os.path.abspath(cwd)
    while True:
        folders.append(folder)
        if os.path.lexists(os.path.join(folder, ".git")):
            yield from folders
            return
        parent = os.path.dirname(folder)
        if parent == folder:
            yield folders[0]
            return
        folder = parent


def _has_section(pyproject: str) -> bool:
    """Most pyproject.toml files have no section of ours and cost one read; tomllib costs 15 ms."""
    try:
        with open(pyproject, "rb") as file:
            data = file.read(MAX_BYTES)
    except OSError:
        return False
    if b"trainctl" not in data or not re.search(_MAY_HAVE_SECTION, data, re.MULTILINE):
        return False
    text = read_text(pyproject)
    return bool(text) and section_of(parse_toml(pyproject, text), SECTION) is not None


def section_of(document: Mapping[str, object], section: str) -> dict[str, object] | None:
    """The table at a dotted name, the document itself for "", None when it is not there.

    A section that is no table comes back under its own name, to be refused as an unknown key.
    """
    at: object = dict(document)
    for part in section.split(".") if section else ():
        if not isinstance(at, dict) or part not in at:
            return None
        at = at[part]  # pyright: ignore[reportUnknownVariableType]
    return at if isinstance(at, dict) else {section: at}  # pyright: ignore[reportUnknownVariableType]
