"""Where the Python script stands among the arguments of a launcher such as torchrun."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

PYTHON = re.compile(r"python(?:\d+(?:\.\d+)?)?t?")
# They come with an environment: theirs is the one that a script would use.
OF_PYTHON = ("torchrun", "accelerate", "deepspeed", "ipython", "fabric", "composer")
_SHELLS = {"bash", "sh", "dash", "zsh", "ksh", "fish"}
_GROUPS = {"torch.distributed.run", "torch.distributed.launch"}  # torchrun by its module

_TORCHRUN_SWITCHES = (
    "--help",
    "--standalone",
    "--module",
    "--no-python",
    "--run-path",
    "--virtual-local-rank",
)
_UV_VALUES = frozenset(
    re.findall(
        r"\S+",
        """--extra --no-extra --group --no-group --only-group --env-file --with --with-editable
        --with-requirements --package --python --python-platform --index --default-index
        --index-url --extra-index-url --find-links --index-strategy --keyring-provider
        --upgrade-package --resolution --prerelease --fork-strategy --exclude-newer --link-mode
        --reinstall-package --refresh-package --config-setting --no-build-package
        --no-binary-package --cache-dir --color --allow-insecure-host --directory --project
        --config-file -w -p -i -f -P -C""",
    )
)


class Target(NamedTuple):
    """What is launched: `at` is the index of a script's path or a module's name."""

    at: int
    kind: Literal["script", "module"]


def target(command: Sequence[str], cwd: str) -> Target | None:
    """The Python script or module that this command line launches; None where one cannot tell."""
    if not command:
        return None
    name = os.path.basename(command[0])
    if name in _SHELLS:
        return None
    if PYTHON.fullmatch(name):
        return _of_python(command, cwd)
    if name == "torchrun":
        return _of_torchrun(command, 1)
    if name == "uv" and command[1:2] == ["run"]:
        return _of_uv(command, cwd)
    if name.startswith(("accelerate", "deepspeed")):
        return _module_switch(command) or _first_script(command, cwd)
    return _inner(command, cwd) or _first_script(command, cwd)


def _inner(command: Sequence[str], cwd: str) -> Target | None:
    """`nice -n 5 python train.py`: the launcher that another program starts."""
    for at, token in enumerate(command[1:], start=1):
        name = os.path.basename(token)
        if PYTHON.fullmatch(name) or name in OF_PYTHON:
            return _within(target, command, at, cwd)
    return None


def _of_python(command: Sequence[str], cwd: str) -> Target | None:
    """`python [-u] [-X dev] script.py` or `python -m module`."""
    at = 1
    while at < len(command) and command[at].startswith("-"):
        cluster = command[at]
        letter = re.search(r"[cmWX]", cluster) if not cluster.startswith("--") else None
        attached = letter is not None and letter.end() < len(cluster)
        if cluster == "-" or (letter is not None and letter[0] == "c"):
            return None
        if letter is not None and letter[0] == "m":
            return None if attached else _of_module(command, at + 1, cwd)
        at += 1 if attached or letter is None else 2
    return Target(at, "script") if at < len(command) else None


def _of_module(command: Sequence[str], at: int, cwd: str) -> Target | None:
    if at >= len(command):
        return None
    if command[at] in _GROUPS:
        return _of_torchrun(command, at + 1)
    if command[at].startswith("accelerate."):
        return _within(target, command, at, cwd)
    return Target(at, "module")


def _of_torchrun(command: Sequence[str], at: int) -> Target | None:
    """Every option of torchrun but its switches takes a value."""
    as_module = False
    while at < len(command) and command[at].startswith("-"):
        option = command[at].replace("_", "-")
        as_module = as_module or option in {"-m", "--module"}
        if option == "--no-python":
            return None
        switch = option in {"-m", "-h"} or (
            option.startswith("--") and any(name.startswith(option) for name in _TORCHRUN_SWITCHES)
        )
        at += 1 if switch or "=" in option else 2
    if at >= len(command):
        return None
    return Target(at, "module" if as_module else "script")


def _of_uv(command: Sequence[str], cwd: str) -> Target | None:
    at = 2
    while at < len(command) and command[at].startswith("-"):
        if command[at] in {"-m", "--module"}:
            return Target(at + 1, "module") if at + 1 < len(command) else None
        at += 2 if command[at] in _UV_VALUES else 1
    if at < len(command) and command[at].endswith(".py"):
        return Target(at, "script")
    return _within(target, command, at, cwd)


def _within(
    find: Callable[[Sequence[str], str], Target | None], command: Sequence[str], at: int, cwd: str
) -> Target | None:
    """The target of the command that begins at this index, counted from the outer one."""
    inner = find(list(command[at:]), cwd)
    return None if inner is None else Target(inner.at + at, inner.kind)


def _module_switch(command: Sequence[str]) -> Target | None:
    """`accelerate launch --module pkg.train`."""
    for at, token in enumerate(command[:-1]):
        if token.endswith(".py"):
            return None
        if token in {"-m", "--module"} and not command[at + 1].startswith("-"):
            return Target(at + 1, "module")
    return None


def _first_script(command: Sequence[str], cwd: str) -> Target | None:
    for at, token in enumerate(command[1:], start=1):
        if token.endswith(".py") and os.path.isfile(os.path.join(cwd, token)):
            return Target(at, "script")
    return None
