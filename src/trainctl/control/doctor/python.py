"""Checks of the Pythons: the one that runs trainctl, and the one that scripts would find."""

from __future__ import annotations

import os
import shutil
import sys

from trainctl.control.doctor.machine import Finding, Machine

_SLOW_SECONDS = 0.025  # a start of Python takes about 10 ms
_STARTS = 3
_SITE = r"import site; print(*site.getsitepackages(), sep='\n')"


def version(machine: Machine) -> list[Finding]:
    here = ".".join(str(part) for part in sys.version_info[:3])
    return [Finding("ok", "Python", f"{here} at {machine.python} runs trainctl")]


def shim(machine: Machine) -> list[Finding]:
    """A version manager's shim is a shell script that is run at every start."""
    found = shutil.which("python3", path=machine.environ.get("PATH", ""))
    if found is None:
        remedy = "apt install python3, or name one: trainctl run --python PATH ..."
        return [Finding("warn", "python3", "not on PATH; scripts without .venv need it", remedy)]
    try:
        with open(found, "rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        is_script = False
    if not is_script:
        return [Finding("ok", "python3", found)]
    return [
        Finding(
            "warn",
            "python3",
            f"{found} is a shell script (a version manager's shim), slow at every start",
            f'export TRAINCTL_PYTHON="$({found} -c "import sys; print(sys.executable)")"',
        )
    ]


def start_up_files(machine: Machine) -> list[Finding]:
    """`.pth` files run code at every start of an interpreter, also of each trainctl command."""
    listed = machine.ask([machine.python, "-c", _SITE])
    if listed.code != 0:
        problem = f"{machine.python} does not start: {listed.text[:200]}"
        return [Finding("fail", ".pth files", problem, f"try it: {machine.python} -c pass")]
    names = sorted(_with_code(listed.text.splitlines()))
    cost = _start(machine) - _start(machine, "-S") if names else 0.0
    if cost < _SLOW_SECONDS:
        return [
            Finding("ok", ".pth files", f"{len(names)} run code, {cost * 1000:.0f} ms a start")
        ]
    return [
        Finding(
            "warn",
            ".pth files",
            f"{cost * 1000:.0f} ms at every start of {machine.python}: {', '.join(names)}",
            "install trainctl into an environment of its own: ./run install, or uv tool install",
        )
    ]


def _start(machine: Machine, *options: str) -> float:
    command = [machine.python, *options, "-c", "pass"]
    return min(machine.ask(command).seconds for _ in range(_STARTS))


def _with_code(folders: list[str]) -> list[str]:
    """The .pth files that run something, rather than only name a folder. Source: module site."""
    return [
        name
        for folder in folders
        for name in (os.listdir(folder) if os.path.isdir(folder) else ())
        if name.endswith(".pth") and _runs_code(os.path.join(folder, name))
    ]


def _runs_code(path: str) -> bool:
    try:
        with open(path, errors="replace") as file:
            return any(line.startswith(("import ", "import\t")) for line in file)
    except OSError:
        return False
