"""From what was typed to what is executed: the program, its Python with the reason, the script."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

from trainctl.control import launchers
from trainctl.control.group import Workers, wrap
from trainctl.control.pythons import Interpreter, World, choose_python
from trainctl.control.refusals import (
    refuse_directory,
    refuse_group,
    refuse_locked,
    refuse_missing,
    refuse_notebook,
)
from trainctl.errors import NotFoundError, UsageError

Kind = Literal["script", "module", "program"]


class Command(NamedTuple):
    """What an attempt executes in the job's folder.

    script: the index in `command` of the Python script's path, when there is one.
    arguments: the index where the script's or module's own arguments begin; resume arguments
    go there and after. source: the file that holds its source, absolute, when it is known.
    """

    command: tuple[str, ...]
    kind: Kind
    script: int | None = None
    arguments: int | None = None
    source: str | None = None
    interpreter: Interpreter | None = None


def resolve(
    typed: Sequence[str], world: World, python: str | None = None, nproc: Workers | None = None
) -> Command:
    """The command for CMD and its arguments; these pass untouched, whatever they look like.

    typed: CMD ARGS. python: `--python`. nproc: `--nproc`; the command then holds placeholders
    (control.group). Raises UsageError, NotFoundError or RefusedError, each with the remedy.
    """
    if not typed or not typed[0]:
        raise UsageError("there is nothing to run", hint="trainctl run train.py")
    if typed[0] == "-m":
        return _module(typed, world, python, nproc)
    path = _script_path(typed[0], world)
    if path is not None:
        return _script(typed, path, world, python, nproc)
    if nproc is not None:
        refuse_group(typed, launchers.target(typed, world.cwd), nproc)
    return _program(typed, world, python)


def _module(
    typed: Sequence[str], world: World, python: str | None, nproc: Workers | None
) -> Command:
    if len(typed) < 2 or not typed[1]:
        raise UsageError("-m needs the name of a module", hint="trainctl run -m package.train")
    interpreter = choose_python(world, python)
    command = _launch(interpreter, typed, nproc)
    return Command(
        command=command,
        kind="module",
        arguments=len(command) - len(typed) + 2,
        source=_module_source(typed[1], world.cwd),
        interpreter=interpreter,
    )


def _script(
    typed: Sequence[str], path: str, world: World, python: str | None, nproc: Workers | None
) -> Command:
    source = os.path.join(path, "__main__.py") if os.path.isdir(path) else path
    interpreter = choose_python(world, python, source)
    command = _launch(interpreter, typed, nproc)
    at = len(command) - len(typed)
    return Command(command, "script", at, at + 1, source, interpreter)


def _launch(
    interpreter: Interpreter, typed: Sequence[str], nproc: Workers | None
) -> tuple[str, ...]:
    return (*interpreter.runs, *typed) if nproc is None else wrap(interpreter, nproc, typed)


def _program(typed: Sequence[str], world: World, python: str | None) -> Command:
    """An executable by path or on PATH; what a launcher starts is looked for in its arguments."""
    front, interpreter = _executable(typed[0], world, python)
    command = (*front, *typed[1:])
    if _is_own_script(typed[0], front[0]):
        return Command(command, "program", 0, 1, front[0], interpreter)
    shift = len(front) - 1
    target = launchers.target(typed, world.cwd)
    if target is None:
        return Command(command, "program", interpreter=interpreter)
    name = typed[target.at]
    is_script = target.kind == "script"
    if is_script and name.endswith(".ipynb"):
        refuse_notebook(name)
    return Command(
        command=command,
        kind="program",
        script=target.at + shift if is_script else None,
        arguments=target.at + shift + 1,
        source=os.path.join(world.cwd, name) if is_script else _module_source(name, world.cwd),
        interpreter=interpreter,
    )


def _is_own_script(name: str, path: str) -> bool:
    """A file of the user's that is Python by its first line, and no launcher of an environment."""
    base = os.path.basename(name)
    is_launcher = base in launchers.OF_PYTHON or launchers.PYTHON.fullmatch(base) is not None
    return os.path.dirname(path) != "" and not is_launcher and b"python" in _first_line(path)


def _script_path(name: str, world: World) -> str | None:
    """The script that CMD names, absolute: a Python file, or a folder that Python can run.

    None for a program. Refuses what can be neither.
    """
    path = os.path.join(world.cwd, name)
    if name.endswith(".ipynb"):
        refuse_notebook(name)
    if _is_program_name(name, world):
        return None
    if os.path.isdir(path):
        if not os.path.isfile(os.path.join(path, "__main__.py")):
            refuse_directory(name, path)
        return path
    if os.path.isfile(path):
        return path if name.endswith((".py", ".pyz")) or _is_locked_python(path) else None
    return None


def _is_program_name(name: str, world: World) -> bool:
    """A bare name means a program first, as in a shell, unless it says that it is Python's."""
    if os.sep in name or name.endswith(".py"):
        return False
    return name in launchers.OF_PYTHON or world.which(name) is not None


def _is_locked_python(path: str) -> bool:
    """Python by its first line, which needs no execute permission from us."""
    return not os.access(path, os.X_OK) and b"python" in _first_line(path)


def _first_line(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            line = file.readline(200)
    except OSError:
        return b""
    return line if line.startswith(b"#!") else b""


def _executable(
    name: str, world: World, python: str | None
) -> tuple[tuple[str, ...], Interpreter | None]:
    """What stands for the program's name in the command, and the environment it comes from."""
    path = os.path.join(world.cwd, name)
    if os.sep in name or (world.which(name) is None and os.path.isfile(path)):
        if not os.path.isfile(path):
            refuse_missing(name, world)
        if not os.access(path, os.X_OK):
            refuse_locked(name)
        return (path,), None
    is_python = launchers.PYTHON.fullmatch(name) is not None
    interpreter = _environment(world, python)
    if interpreter is not None:
        if is_python and python is not None:
            return interpreter.runs, interpreter
        if interpreter.is_uv and (is_python or name in launchers.OF_PYTHON):
            return (*interpreter.runs[:-1], name), interpreter
        inside = os.path.join(interpreter.folder or "", name)
        if interpreter.folder is not None and os.access(inside, os.X_OK):
            return (inside,), interpreter
    found = world.which(name) or refuse_missing(name, world)
    on_path = Interpreter(found, f"{name} on the PATH", (found,)) if is_python else None
    return (found,), on_path


def _environment(world: World, python: str | None) -> Interpreter | None:
    """The environment that a script would use; a program may do without one."""
    try:
        return choose_python(world, python)
    except NotFoundError:
        if python is not None:
            raise
        return None


def _module_source(module: str, cwd: str) -> str | None:
    """The file of a module that lies in this folder, or in its src."""
    for folder in (cwd, os.path.join(cwd, "src")):
        base = os.path.join(folder, *module.split("."))
        for path in (base + ".py", os.path.join(base, "__main__.py")):
            if os.path.isfile(path):
                return path
    return None
