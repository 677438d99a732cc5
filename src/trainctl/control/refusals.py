"""What cannot be run, said with the command that can."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import NoReturn

from trainctl.control.launchers import OF_PYTHON, Target
from trainctl.control.pythons import World
from trainctl.errors import NotFoundError, RefusedError, UsageError

_ENTRIES = 2_000  # of a folder, looked through for a name that is meant


def refuse_notebook(name: str) -> NoReturn:
    script = name.removesuffix(".ipynb") + ".py"
    raise RefusedError(
        f"{name} is a notebook, not a script",
        hint=f"jupyter nbconvert --to script {shlex.quote(name)} && "
        f"trainctl run {shlex.quote(script)}",
    )


def refuse_directory(name: str, path: str) -> NoReturn:
    scripts = [entry for entry in _entries(path) if entry.endswith(".py")]
    likely = _close("train.py", scripts) or scripts[:1]
    meant = shlex.quote(os.path.join(name, likely[0])) if likely else "SCRIPT.py"
    raise RefusedError(
        f"{name} is a directory without a __main__.py", hint=f"trainctl run {meant}"
    )


def refuse_locked(name: str) -> NoReturn:
    quoted = shlex.quote(name)
    raise RefusedError(
        f"{name} has no execute permission",
        hint=f"chmod +x {quoted}, or: trainctl run bash {quoted}",
    )


def refuse_missing(name: str, world: World) -> NoReturn:
    is_path = os.sep in name or name.endswith(".py")
    known = () if is_path else (*OF_PYTHON, "python3", "python", "uv", "bash")
    meant = _meant(name, world.cwd, [program for program in known if world.which(program)])
    if meant is not None:
        hint = f"did you mean {meant}?"
    elif name.startswith("-"):
        hint = "options of trainctl stand before the command: trainctl run --help"
    elif is_path:
        hint = f"it was looked for in {world.cwd}; --cwd names another folder"
    else:
        hint = "give a script, -m MODULE, or a program that is on the PATH"
    what = "file" if is_path else "file or program"
    raise NotFoundError(f"there is no {what} {name}", hint=hint)


def refuse_group(typed: Sequence[str], target: Target | None, nproc: int | str) -> NoReturn:
    if target is None:
        hint = f"trainctl run {shlex.join(typed)}, without --nproc"
    else:
        module = ["-m"] if target.kind == "module" else []
        hint = f"trainctl run --nproc {nproc} {shlex.join([*module, *typed[target.at :]])}"
    raise UsageError(
        f"--nproc starts workers of a Python script or module, not of {typed[0]}", hint=hint
    )


def _meant(name: str, cwd: str, programs: Sequence[str]) -> str | None:
    """The path that is closest to this one, corrected where it first leads nowhere."""
    parts = name.split(os.sep)
    for count, part in enumerate(parts):
        parent, rest = os.sep.join(parts[:count]), parts[count + 1 :]
        folder = os.path.join(cwd, parent + os.sep if count else "")
        if os.path.lexists(os.path.join(folder, part)):
            continue
        close = _close(part, [*_entries(folder), *programs])
        corrected = [os.sep.join([*parts[:count], entry, *rest]) for entry in close]
        return next((path for path in corrected if _may_be(path, cwd, programs)), None)
    return None


def _close(word: str, words: list[str]) -> list[str]:
    import difflib  # only an error needs it

    return difflib.get_close_matches(word, words, n=1)


def _may_be(path: str, cwd: str, programs: Sequence[str]) -> bool:
    return path in programs or os.path.lexists(os.path.join(cwd, path))


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or "."))[:_ENTRIES]
    except OSError:
        return []
