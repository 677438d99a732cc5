"""Which other Pythons this machine has, without a version manager's shims."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

VERSIONS = ("3.8", "3.9", "3.10", "3.12", "3.13")


def find(env: Mapping[str, str]) -> dict[str, Path]:
    """Map each of VERSIONS that really starts to its interpreter."""
    return {
        version: path
        for version in VERSIONS
        for path in [next((p for p in candidates(version, env) if starts(p, version)), None)]
        if path
    }


def candidates(version: str, env: Mapping[str, str]) -> Iterator[Path]:
    pyenv = Path(env.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    folders = [f for f in env.get("PATH", "").split(":") if Path(f).name != "shims"]
    if on_path := shutil.which(f"python{version}", path=":".join(folders)):
        yield Path(on_path)


def starts(python: Path, version: str) -> bool:
    try:
        said = subprocess.run([python, "--version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.stdout.startswith(f"Python {version}.".encode())
