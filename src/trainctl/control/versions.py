"""Which Python runs a script, exactly, and what it has installed: asked while the run starts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

_PATIENCE_SECONDS = 30
_PACKAGES = 2000
_QUESTION = """\
import platform, sys
print(platform.python_version(), platform.python_implementation(), *sys.path, sep="\\0", end="")
"""


def ask(
    interpreter: Mapping[str, str] | None, cwd: str, environ: Mapping[str, str]
) -> subprocess.Popen[bytes] | None:
    """Start asking; None where no Python is known, or it cannot be started."""
    if interpreter is None:
        return None
    path = interpreter["path"]
    words = ["--version"] if os.path.basename(path) == "uv" else ["-c", _QUESTION]
    try:
        return subprocess.Popen(
            [path, *words],
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def describe(asked: subprocess.Popen[bytes] | None) -> dict[str, Any] | None:
    """`{"version": "3.11.7", "implementation": "CPython", "packages": {"torch": "2.13.0"}}`.

    Of uv only its own version is known: which Python it takes, it decides as the script starts.
    """
    text = answer(asked, _PATIENCE_SECONDS) if asked is not None else None
    if not text:
        return None
    words = os.fsdecode(text).split("\0")
    if len(words) < 2:
        return {"version": words[0].strip()}
    return {
        "version": words[0],
        "implementation": words[1],
        "packages": installed(path for path in words[2:] if os.path.isabs(path)),
    }


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Distributions by their metadata's folder names; the first on the path counts.

    Source: https://packaging.python.org/specifications/recording-installed-packages
    """
    found: dict[str, str] = {}
    for folder in folders:
        for name in _names(folder):
            stem, dot, kind = name.rpartition(".")
            package, dash, version = stem.partition("-")
            if dot and dash and kind in {"dist-info", "egg-info"}:
                found.setdefault(package.lower().replace("_", "-"), version.partition("-")[0])
    return dict(sorted(found.items())[:_PACKAGES])


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def answer(question: subprocess.Popen[bytes], patience_seconds: float) -> bytes | None:
    """What a program said on stdout; None where it failed, or took too long."""
    try:
        text, _ = question.communicate(timeout=patience_seconds)
    except subprocess.TimeoutExpired:
        question.kill()
        question.communicate()
        return None
    return text if question.returncode == 0 else None
