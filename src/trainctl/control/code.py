"""Which code a run runs: commit and diff for the record, and a copy for unattended attempts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainctl.control import versions
from trainctl.kit import files
from trainctl.kit.names import RunFolder

_PATIENCE_SECONDS = 60
_DIFF_LIMIT = 64 * 1024 * 1024
_SNAPSHOT_FILE_LIMIT = 2 * 1024 * 1024
_SNAPSHOT_LIMIT = 64 * 1024 * 1024
_SOURCE_SUFFIXES = (".py", ".toml", ".yaml", ".yml", ".json", ".cfg", ".ini", ".txt", ".sh")
_SKIPPED = {"venv", "__pycache__", "node_modules"}  # and what is hidden


class Asked(NamedTuple):
    """Questions to git that are under way while the run starts."""

    commit: subprocess.Popen[bytes]
    status: subprocess.Popen[bytes]
    diff: subprocess.Popen[bytes]


def project_of(cwd: str) -> str:
    """The git top above a folder, else the folder itself."""
    folder = cwd
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return cwd
        folder = parent


def ask(project: str, environ: Mapping[str, str]) -> Asked | None:
    """Start asking git about the tree; None where there is no repository or no git."""
    if not os.path.exists(os.path.join(project, ".git")):
        return None
    try:
        return Asked(
            _git(project, environ, "rev-parse", "HEAD"),
            _git(project, environ, "status", "--porcelain=v1", "-z", "--untracked-files=all"),
            _git(project, environ, "diff", "HEAD", "--binary", "--submodule=diff"),
        )
    except FileNotFoundError:
        return None


def _git(project: str, environ: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", "-C", project, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**environ, "GIT_OPTIONAL_LOCKS": "0"},  # else `status` rewrites the user's index
    )


def describe(asked: Asked | None) -> tuple[dict[str, Any], bytes]:
    """Commit, whether the tree is dirty, which files are, and the diff; waits for git."""
    if asked is None:
        return {"commit": None, "why": "no git repository"}, b""
    questions = (asked.commit, asked.status, asked.diff)
    commit, status, diff = (versions.answer(one, _PATIENCE_SECONDS) for one in questions)
    if commit is None:
        return {"commit": None, "why": "the repository has no commit, or git failed"}, diff or b""
    changed = [os.fsdecode(entry[3:]) for entry in (status or b"").split(b"\0") if entry[3:]]
    untracked = [
        os.fsdecode(entry[3:]) for entry in (status or b"").split(b"\0") if entry.startswith(b"??")
    ]
    facts = {
        "commit": commit.decode().strip(),
        "dirty": bool(changed) if status is not None else None,
        "changed": sorted(set(changed) - set(untracked))[:1000],
        "untracked": sorted(untracked)[:1000],
        "diff_bytes": len(diff or b""),
    }
    return facts, (diff or b"")[:_DIFF_LIMIT]


def keep(
    run: RunFolder, asked: Asked | None, python: subprocess.Popen[bytes] | None
) -> dict[str, Any]:
    """Write code.json and code.diff into the run folder; returns the facts.

    python: as versions.ask gave it. The machine's cards are looked at here too, since a driver
    may take its time, and nothing waits for this.
    """
    from trainctl.kit import gpus  # after the start, which it would delay by 4 ms

    facts, diff = describe(asked)
    facts["python"] = versions.describe(python)
    facts["gpus"] = [
        {"id": card.id, "name": card.name, "memory_bytes": card.memory_total_bytes}
        for card in gpus.look().cards
    ]
    if not os.path.isdir(run.path):  # deleted meanwhile
        return facts
    if diff:
        files.write_atomic(run.diff, diff)
    files.write_json(run.code, facts)
    return facts


def snapshot(
    run: RunFolder, project: str, environ: Mapping[str, str], env_file: str | None = None
) -> int:
    """Copy the project's sources into the run folder, for attempts that start unattended.

    Sources only: data and outputs stay where they are. All of it is there or nothing, so that no
    attempt starts from half a copy. The env file holds secrets and stays where it is, and so
    does the state folder, which holds the copies of other runs. Returns how many files were kept.
    """
    unfinished = f"{run.snapshot}.part"
    state = os.path.realpath(os.path.dirname(os.path.dirname(run.path))) + os.sep
    secret = os.path.realpath(env_file) if env_file else None
    real = {name: os.path.realpath(name) for name in _sources(project, environ)}
    sources = [n for n, path in real.items() if path != secret and not path.startswith(state)]
    kept = _copy(project, sources, unfinished)
    if kept:
        os.rename(unfinished, run.snapshot)
    return kept


def _copy(project: str, sources: list[str], folder: str) -> int:
    kept, total = 0, 0
    for path in sorted(sources):
        size = os.path.getsize(path)
        if size > _SNAPSHOT_FILE_LIMIT or total + size > _SNAPSHOT_LIMIT:
            continue
        target = os.path.join(folder, os.path.relpath(path, project))
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(path, "rb") as source, open(target, "wb") as copy:
            copy.write(source.read())
        kept, total = kept + 1, total + size
    return kept


def _sources(project: str, environ: Mapping[str, str]) -> list[str]:
    listed = _listed_by_git(project, environ)
    names = listed if listed is not None else _walked(project)
    return [name for name in names if name.endswith(_SOURCE_SUFFIXES) and os.path.isfile(name)]


def _listed_by_git(project: str, environ: Mapping[str, str]) -> list[str] | None:
    if not os.path.exists(os.path.join(project, ".git")):
        return None
    try:
        listing = _git(project, environ, "ls-files", "-co", "--exclude-standard", "-z")
    except FileNotFoundError:
        return None
    text = versions.answer(listing, _PATIENCE_SECONDS)
    if text is None:
        return None
    return [os.path.join(project, os.fsdecode(name)) for name in text.split(b"\0") if name]


def _walked(project: str) -> list[str]:
    found: list[str] = []
    for parent, folders, names in os.walk(project):
        folders[:] = [n for n in folders if n not in _SKIPPED and not n.startswith(".")]
        found.extend(os.path.join(parent, name) for name in names)
        if len(found) > 20_000:
            break
    return found
