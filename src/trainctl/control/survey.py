"""Which files of a project train: found by reading them, the likeliest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

_DEPTH = 3  # folders below the project
_FILES = 2_000  # looked at, so that a checkout of everything is no trap
_BYTES = 500_000  # of one file
_SKIPPED = re.compile(
    r"\.|__pycache__|(?:node_modules|site-packages|v?env|tests?|docs?|build|dist|wandb)$"
)
_MAIN = re.compile(rb"^if\s+__name__\s*==\s*[\"']__main__[\"']", re.MULTILINE)
_OPTIONS = re.compile(
    rb"add_argument\(|@\w*\.?option\(|HfArgumentParser|LightningCLI|DEFINE_\w+\("
)
_TRAINS = re.compile(
    rb"\.backward\(|\boptimizer\b|\boptim\.|\bTrainer\(|\.fit\(|\.partial_fit\(|\bepochs?\b|"
    rb"\btrain_step\b|value_and_grad"
)
_NAMES = re.compile(r"(?:main|run|finetune|fine_tune|pretrain)")
_SECRETS = re.compile(
    rb"[\"']((?:HF|HUGGING_FACE_HUB|WANDB|COMET|NEPTUNE)_(?:API_)?(?:TOKEN|KEY))[\"']"
)


class Candidate(NamedTuple):
    """A script that seems to train. path: relative to the project. reasons: what speaks for it."""

    path: str
    score: int
    reasons: tuple[str, ...]
    secrets: tuple[str, ...]  # names of credentials that it reads or will need


def scripts(project: str) -> list[Candidate]:
    """The scripts of a project that seem to train, the likeliest first; nothing is run."""
    found = (_judged(project, path) for path in _sources(project, project, _DEPTH))
    fitting = [candidate for candidate in found if candidate is not None]
    return sorted(fitting, key=lambda it: (-it.score, it.path.count(os.sep), it.path))


def _sources(project: str, folder: str, depth: int) -> Iterator[str]:
    left = _FILES
    folders = [(folder, depth)]
    while folders and left > 0:
        here, deeper = folders.pop(0)
        for entry in _entries(here):
            left -= 1
            if entry.is_dir(follow_symlinks=False):
                if deeper and not _SKIPPED.match(entry.name):
                    folders.append((entry.path, deeper - 1))
            elif entry.name.endswith(".py") and entry.is_file():
                yield os.path.relpath(entry.path, project)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _judged(project: str, path: str) -> Candidate | None:
    """A script needs a sign that it trains, and one that it is started rather than imported."""
    text = _read(os.path.join(project, path))
    name = os.path.basename(path)
    reasons: list[tuple[int, str]] = []
    if "train" in name:
        reasons.append((3, "its name"))
    elif _NAMES.match(name):
        reasons.append((1, "its name"))
    if _TRAINS.search(text):
        reasons.append((2, "it trains"))
    if _MAIN.search(text):
        reasons.append((2, "it is made to be started"))
    if _OPTIONS.search(text):
        reasons.append((2, "it takes options"))
    trains = "train" in name or _TRAINS.search(text)
    starts = _MAIN.search(text) or _OPTIONS.search(text) or "train" in name
    if not (trains and starts):
        return None
    secrets = {match.decode() for match in _SECRETS.findall(text)}
    if re.search(rb"^\s*import wandb\b", text, re.MULTILINE):
        secrets.add("WANDB_API_KEY")
    told = tuple(reason for _, reason in reasons)
    return Candidate(path, sum(points for points, _ in reasons), told, tuple(sorted(secrets)))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_BYTES)
    except OSError:
        return b""
