"""What is missing from a checkpoint's folder, as its framework lays one out: a rule each."""

from __future__ import annotations

import json
import os
import re
from itertools import islice
from typing import Any, Dict, FrozenSet, Iterator, Match, Optional, Set, Tuple, cast

from trainctl.kit import files

JSON_BYTES = 16_000_000  # of a file that is looked into; a longer one is left to deeper readers
NEIGHBOURS = 64  # how many are looked at, to see how a script's checkpoints end
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.safetensors|\.bin)$")
_INDEXED = re.compile(r"(?:.*_)?model$")  # what transformers, diffusers and peft call weights
_RANKED = re.compile(r"((?:.*/)?(?:rng_state|random_states|(?:bf16_)?zero_pp_rank)_)(\d+)(\D.*)$")
_MODEL_RANK = re.compile(r"mp_rank_\d+")
_DISTCP = re.compile(rb"__\d{1,9}_\d{1,9}\.distcp")
_NUMBERED = re.compile(r"(.*?)(\d+)$")
_TOO_LONG: Dict[str, Any] = {}
_LAST = ("trainer_state.json", "random_states_0.pkl")  # what Trainer and accelerate write last
_TRACKERS = ("latest_checkpointed_iteration.txt", "latest")  # Megatron, DeepSpeed


def missing(folder: str, names: FrozenSet[str]) -> Optional[str]:
    """What this folder lacks of what its framework would have written; None: nothing we know of.

    names: of its files, relative to it.
    """
    for flaw in by_names(names):
        return flaw
    for flaws in (_indexes, _distributed, _orbax, _last_words, _tracker):
        for flaw in flaws(folder, names):
            return flaw
    return None


def by_names(names: FrozenSet[str]) -> Iterator[str]:
    """What is missing, as far as the names of the rest tell."""
    for name in sorted(names):
        match = _SHARD.match(name)
        if match is not None:
            yield from _siblings(match, names)
    yield from _ranks(names)
    for where in {os.path.dirname(name) for name in names if name.endswith(".distcp")}:
        if os.path.join(where, ".metadata") not in names:
            yield f"{os.path.join(where, '.metadata')} is missing"


def _siblings(match: Match[str], names: FrozenSet[str]) -> Iterator[str]:
    """`model-00002-of-00003.safetensors`, and the index that is written after the last one."""
    stem, _, total, suffix = match.groups()
    for number in range(1, min(int(total), len(names) + 1) + 1):
        other = f"{stem}-{number:05}-of-{total}{suffix}"
        if other not in names:
            yield f"{other} is missing"
    if _INDEXED.match(os.path.basename(stem)) and f"{stem}{suffix}.index.json" not in names:
        yield f"{stem}{suffix}.index.json is missing"


def _indexes(folder: str, names: FrozenSet[str]) -> Iterator[str]:
    for name in names:
        if name.endswith((".safetensors.index.json", ".bin.index.json")):
            yield from _index(folder, name, names)


def _index(folder: str, name: str, names: FrozenSet[str]) -> Iterator[str]:
    index = _json(os.path.join(folder, name))
    shards = index.get("weight_map") if index is not None else _TOO_LONG
    if not isinstance(shards, dict):
        yield f"{name} names no shards"
        return
    for shard in {str(value) for value in cast("Dict[str, Any]", shards).values()}:
        if os.path.join(os.path.dirname(name), shard) not in names:
            yield f"{name} names {shard}, which is not in it"


def _ranks(names: FrozenSet[str]) -> Iterator[str]:
    """Each rank writes its own, from 0 without a gap; DeepSpeed's as many of each `mp_rank`."""
    seen: Dict[Tuple[str, str], Set[int]] = {}
    for name in names:
        match = _RANKED.match(name)
        if match is not None:
            before, rank, after = match.groups()
            seen.setdefault((before, after), set()).add(int(rank))
    most: Dict[str, int] = {}
    for (before, after), ranks in seen.items():
        family = before + _MODEL_RANK.sub("", after)
        most[family] = max(most.get(family, 0), len(ranks))
    for (before, after), ranks in seen.items():
        for rank in range(most[before + _MODEL_RANK.sub("", after)]):
            if rank not in ranks:
                yield f"{before}{rank}{after} is missing"


def _distributed(folder: str, names: FrozenSet[str]) -> Iterator[str]:
    """`.metadata` is renamed into place last, and names the rest (torch.distributed)."""
    for name in names:
        if os.path.basename(name) == ".metadata":
            for file in set(_DISTCP.findall(_head(os.path.join(folder, name)))):
                part = os.path.join(os.path.dirname(name), os.fsdecode(file))
                if part not in names:
                    yield f"{part} is missing"


def _orbax(folder: str, names: FrozenSet[str]) -> Iterator[str]:
    if "_CHECKPOINT_METADATA" not in names:
        return
    told = _json(os.path.join(folder, "_CHECKPOINT_METADATA")) or {}
    if not told.get("commit_timestamp_nsecs", not told):
        yield "Orbax has not committed it"
    items = told.get("item_handlers")
    for item in cast("Dict[str, Any]", items) if isinstance(items, dict) else ():
        if not any(name.startswith(f"{item}/") for name in names):
            yield f"its item {item} is missing"
    for where in {name.split("/ocdbt.process_")[0] for name in names if "/ocdbt.process_" in name}:
        if f"{where}/manifest.ocdbt" not in names:
            yield f"{where}/manifest.ocdbt is missing"


def _last_words(folder: str, names: FrozenSet[str]) -> Iterator[str]:
    """What Trainer and accelerate write last, where this folder or its neighbours show their hand.

    Weights alone may be all that a script meant to save; where a neighbour of the same name has
    more, they are not.
    """
    is_trainers = os.path.basename(os.path.normpath(folder)).startswith("checkpoint-")
    if is_trainers and "training_args.bin" in names and "trainer_state.json" not in names:
        yield "trainer_state.json is missing: the Trainer had not finished"
    if "optimizer.bin" in names and "random_states_0.pkl" not in names:
        yield "random_states_0.pkl is missing: accelerate had not finished"
    if names.isdisjoint(_LAST) and any(name.endswith((".safetensors", ".bin")) for name in names):
        for neighbour in _neighbours(folder):
            for last in _LAST:
                if os.path.exists(os.path.join(neighbour, last)):
                    yield f"{last} is missing, which {os.path.basename(neighbour)} beside it has"


def _neighbours(folder: str) -> Iterator[str]:
    parent, name = os.path.split(os.path.normpath(folder))
    match = _NUMBERED.match(name)
    if match is None:
        return
    like_it = re.compile(re.escape(match.group(1)) + r"\d+")
    try:
        with os.scandir(parent or ".") as listing:
            alike = (e.path for e in listing if e.name != name and like_it.fullmatch(e.name))
            yield from islice(alike, NEIGHBOURS)
    except OSError:
        return


def _tracker(folder: str, names: FrozenSet[str]) -> Iterator[str]:
    """Megatron and DeepSpeed write which one is the latest when all ranks are done with it."""
    parent, name = os.path.split(os.path.normpath(folder))
    mine = _NUMBERED.match(name)
    for tracker in _TRACKERS:
        latest = _NUMBERED.match(os.fsdecode(_head(os.path.join(parent, tracker), 100)).strip())
        if mine is None or latest is None or latest.group(1) not in {"", mine.group(1)}:
            continue
        if int(latest.group(2)) < int(mine.group(2)):
            yield f"{tracker} beside it still tells of {latest.group(0)}"
    if "latest" in names:
        tag = os.fsdecode(_head(os.path.join(folder, "latest"), 100)).strip()
        if tag.startswith("global_step") and not any(name.startswith(f"{tag}/") for name in names):
            yield f"{tag} is missing, which `latest` tells of"


def _head(path: str, most: int = JSON_BYTES) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    try:
        with files.open_regular(path) as file:
            return file.read(most)
    except OSError:
        return b""


def _json(path: str) -> Optional[Dict[str, Any]]:
    """A JSON object; None where it is longer than we read, empty where it is none."""
    text = _head(path, JSON_BYTES + 1)
    if len(text) > JSON_BYTES:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("Dict[str, Any]", value) if isinstance(value, dict) else {}
