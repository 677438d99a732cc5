"""Checkpoints by name: which files and folders are some, and of which step."""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from typing import AbstractSet, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

from trainctl.kit.contents import DEPTH as NESTED

SUFFIXES = (
    ".pt",
    ".pth",
    ".pth.tar",
    ".ckpt",
    ".safetensors",
    "_model.bin",  # `pytorch_model.bin`, `adapter_model.bin`; another `.bin` may be data
    ".npz",
    ".pkl",
    ".joblib",
    ".msgpack",
    ".keras",
    ".h5",
    ".weights.h5",
)
TEMPORARY = (".tmp", ".partial", ".incomplete", ".lock", "~", "-unfinished")
_STAGED = "orbax-checkpoint-tmp"  # `7.orbax-checkpoint-tmp`, older ones with a time behind it
_FOLDER = re.compile(
    r"(?:checkpoint|ckpt|step|global_step|epoch|iter)[-_=]?\d+$"
    r"|epoch=\d+-step=\d+(?:-v\d+)?(?:\.ckpt)?$"
)
_PLAIN = re.compile(r"(?:global_step|step|iter|checkpoint|ckpt|model)[-_=]?(\d+)$")
_STEP = re.compile(r"(?:global_step|step|iter|checkpoint|ckpt|model)[-_=]?(\d+)(?!.*step[-_=]?\d)")
_EPOCH = re.compile(r"epoch[-_=]?(\d+)")
_BARE = re.compile(r"(?:^|[-_=])(\d+)$")
_SHARDS = re.compile(
    r"(?:model|pytorch_model)-\d+-of-\d+\.(?:safetensors|bin)$|mp_rank_\d+_model_"
)
_MARKS = frozenset(
    {
        "trainer_state.json",  # Hugging Face's Trainer
        "_CHECKPOINT_METADATA",  # Orbax
        "orbax.checkpoint",
        ".metadata",  # torch's distributed checkpoint
        "random_states_0.pkl",  # accelerate
        "training_metadata.json",  # Keras' BackupAndRestore
    }
)
_WEIGHTS = ("model.safetensors", "_model.bin", ".safetensors.index.json", ".bin.index.json")
DEPTH = 4
ENTRIES = 20_000


class Found(NamedTuple):
    path: str
    step: Optional[int]
    size: int
    mtime: float
    is_dir: bool


def step_of(name: str) -> Optional[int]:
    """The step, else the epoch, that a checkpoint's name tells; None when it tells nothing."""
    stem = name
    if name.endswith(SUFFIXES):
        stem = name.rpartition(".")[0]
        if stem.endswith((".pth", ".weights")):
            stem = stem.rpartition(".")[0]
    match = _PLAIN.match(stem) or _STEP.search(stem) or _EPOCH.search(stem) or _BARE.search(stem)
    return int(match.group(1)[:18]) if match else None


def is_checkpoint_name(name: str, *, is_dir: bool) -> bool:
    if name.startswith(".") or name.endswith(TEMPORARY):
        return False
    if is_dir:
        return _FOLDER.match(name) is not None
    return name.endswith(SUFFIXES) or _FOLDER.match(name) is not None


def is_checkpoint_folder(names: Iterable[str], *, surely: bool = False) -> bool:
    """Whether a folder that holds these names is one checkpoint, whatever it is called.

    What a framework writes into a checkpoint tells it; a folder that holds checkpoints of its own
    is none. surely: a model's configuration and weights alone, as in the top of a repository, do
    not make one.
    """
    have = names if isinstance(names, (set, frozenset)) else set(names)
    if not _is_marked(have) and (surely or not _is_model(have)):
        return False
    return not holds_checkpoints(have)


def holds_checkpoints(names: Iterable[str]) -> bool:
    """Whether what is called so in a folder is a checkpoint each; DeepSpeed's may be a part."""
    return any(_FOLDER.match(name) and not name.startswith("global_step") for name in names)


def _is_marked(have: AbstractSet[str]) -> bool:
    """TensorFlow's checkpoints share a folder and the file `checkpoint`, and go on from both."""
    if not have.isdisjoint(_MARKS) or any(map(_SHARDS.match, have)):
        return True
    return "checkpoint" in have and any(name.endswith(".index") for name in have)


def _is_model(have: AbstractSet[str]) -> bool:
    if have.isdisjoint(("config.json", "adapter_config.json")):
        return False
    return any(name.endswith(_WEIGHTS) for name in have)


def is_staged_name(name: str) -> bool:
    """Whether what is called so is still being written, and will be renamed."""
    return name.endswith(TEMPORARY) or _STAGED in name or name.startswith("tmp-checkpoint")


def scan(folders: Sequence[str], since: float = 0) -> List[Found]:
    """Every checkpoint in these folders that changed at or after `since`, oldest first.

    Bounded in depth and entries, so that a folder of data costs little. A folder that is a
    checkpoint is one; what lies in it is not listed again. Links are not followed into folders.
    """
    seen: Dict[str, Found] = {}
    for folder in folders:
        for path in _walk(folder, DEPTH, [ENTRIES]):
            found = look(path)
            if found is not None and found.mtime >= since:
                seen.setdefault(os.path.realpath(found.path), found)
    return sorted(seen.values(), key=lambda found: (found.mtime, found.step or -1, found.path))


def _walk(folder: str, depth: int, budget: List[int]) -> Iterator[str]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(islice(listing, budget[0]), key=lambda entry: entry.name)
        folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:
        return
    if is_checkpoint_folder({entry.name for entry in entries}, surely=depth == DEPTH):
        yield folder
        return
    for entry in entries:
        budget[0] -= 1
        if budget[0] < 0:
            return
        is_dir = entry.name in folders
        if is_checkpoint_name(entry.name, is_dir=is_dir):
            yield entry.path
        elif is_dir and depth > 1 and not _is_passed_over(entry.name):
            yield from _walk(entry.path, depth - 1, budget)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or is_staged_name(name)


def look(path: str) -> Optional[Found]:
    """What a checkpoint's file or folder is like; a link counts for the file it leads to."""
    step = step_of(os.path.basename(path))
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            seen = [os.stat(part) for part in files_in(path)]
            mtime = max([part.st_mtime for part in seen], default=os.stat(path).st_mtime)
            return Found(path, step, sum(part.st_size for part in seen), mtime, True)
        seen_file = os.stat(path)
    except OSError:  # nested without end, or gone: a trainer that keeps a few prunes as we look
        return None
    if not stat.S_ISREG(seen_file.st_mode):
        return None
    return Found(path, step, seen_file.st_size, seen_file.st_mtime, False)


def files_in(folder: str) -> List[str]:
    """At most ENTRIES of them; what cannot be listed is passed over.

    Raises OSError where folders are nested deeper than a checkpoint's may be.
    """
    return list(islice(_files(folder), ENTRIES))


def _files(root: str) -> Iterator[str]:
    """Without recursion, which os.walk needs: folders may be nested deeper than the stack."""
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > NESTED:
            raise OSError(0, f"is nested deeper than {NESTED} folders", root)
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, depth + 1))
            elif not (entry.is_symlink() and os.path.isdir(entry.path)):
                yield entry.path
