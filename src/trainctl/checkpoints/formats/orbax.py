"""Orbax: a folder for each step, its metadata in JSON, its arrays in OCDBT beside it.

What the arrays hold is compressed by Zstandard, and so are their types and the shape of an array
that several devices wrote in pieces: those are not told. Names always are.
Source: orbax-checkpoint 0.12.8, metadata/checkpoint.py and serialization/type_handlers.py.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from typing import Any

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Scalar, Tensor
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.source import Source

_TOP = "_CHECKPOINT_METADATA"
_METRICS = "metrics/metrics"  # an item of CheckpointManager's
_STEP = re.compile(r"(?:.*[-_])?(\d{1,18})$")
_IS_TREE = re.compile(r"(?:Standard|PyTree)CheckpointHandler$|PyTreeHandler$")
_STAGED = ".orbax-checkpoint-tmp"
_OPTIMIZER = re.compile(r"(?:^|\.)(?:opt|optimizer)(?:_state|_states)?(?:\.|$)")


class Orbax:
    name = "orbax"

    def recognise(self, source: Source) -> bool:
        files = source.files()
        return _TOP in files or "orbax.checkpoint" in files or "manifest.ocdbt" in files

    def inspect(self, source: Source) -> Inspection:
        files, findings = source.files(), Findings()
        top = documents.read_object(source, _TOP)
        for flaw in (*top.findings, *_uncommitted(source, top.value)):
            findings.append(flaw)
        tensors: list[Tensor] = []
        pieces: dict[str, Scalar] = {}
        items = _items(files)
        several = len(items) > 1
        for item in items:
            for finding in _read_item(source, item, f"{item}." * several, tensors, pieces):
                findings.append(finding)
        metrics = documents.numbers(top.value.get("metrics"))
        if _METRICS in files:
            document = documents.read_object(source, _METRICS)
            metrics |= documents.numbers(document.value)
            for flaw in document.findings:
                findings.append(flaw)
        names = [tensor.name for tensor in tensors]
        match = _STEP.match(source.name.split(_STAGED)[0])
        return Inspection(
            self.name,
            framework="orbax-checkpoint",
            step=int(match.group(1)) if match else None,
            loss=metrics.get("loss"),
            metrics=metrics,
            tensors=tuple(tensors),
            scalars={**documents.scalars(_told(top.value)), **pieces},
            has_optimizer=any(_OPTIMIZER.search(name) for name in (*pieces, *names)),
            findings=tuple(findings),
        )

    def resuming(self, inspection: Inspection) -> Resuming:
        how = "CheckpointManager(FOLDER).restore(STEP), which takes the newest by itself"
        return Resuming(how, "folder")

    def verify(self, source: Source) -> list[str]:
        return []  # OCDBT's checksums are of what Zstandard packed: its own loader sees to them


def _uncommitted(source: Source, top: Mapping[str, Any]) -> Iterator[str]:
    if _STAGED in source.name:
        yield "it was never given its final name: Orbax had not finished"
    elif top and not top.get("commit_timestamp_nsecs"):
        yield "Orbax has not committed it"
    for item, handler in documents.members(top.get("item_handlers")).items():
        if not any(name.startswith(f"{item}/") for name in source.files()):
            yield f"its item {item[:100]} is missing"
        elif _IS_TREE.search(str(handler)) and f"{item}/_METADATA" not in source.files():
            yield f"{item[:100]}/_METADATA is missing"


def _items(files: Mapping[str, int]) -> list[str]:
    """The folders that hold a tree of arrays; "" where the checkpoint is one itself."""
    return sorted(
        name.removesuffix("_METADATA").rstrip("/")
        for name in files
        if name == "_METADATA" or name.endswith("/_METADATA")
    )


def _read_item(
    source: Source,
    item: str,
    label: str,
    tensors: list[Tensor],
    pieces: dict[str, Scalar],
) -> Iterator[str]:
    """Its arrays into `tensors` or `pieces`, with this before their names; what is wrong."""
    prefix = f"{item}/" if item else ""
    told = documents.read_object(source, f"{prefix}_METADATA")
    yield from told.findings
    for name in sorted(source.files()):
        if name.startswith((f"{prefix}_sharding", f"{prefix}array_metadatas/")):
            yield from documents.read_object(source, name).findings
    if told.value.get("use_ocdbt") and f"{prefix}manifest.ocdbt" not in source.files():
        yield f"{prefix}manifest.ocdbt is missing"
    tree = told.value.get("tree_metadata")
    shared = _shared(source, f"{prefix}_sharding")
    for leaf in documents.members(tree).values():
        tensor = _tensor(leaf, label)
        if tensor is not None and _encoded(leaf) in shared:
            pieces[tensor.name] = f"in pieces of {' x '.join(map(str, tensor.shape)) or 1}"
        elif tensor is not None:
            tensors.append(tensor)


def _tensor(leaf: object, prefix: str) -> Tensor | None:
    told = documents.members(leaf)
    sides = documents.members(told.get("value_metadata")).get("write_shape")
    if sides is None:
        return None
    name = (prefix + ".".join(_keys(leaf)))[: documents.TEXT]
    shape = tuple(
        side for side in map(documents.whole, documents.items(sides)) if side is not None
    )
    return Tensor(name, shape, "", 0, "optimizer" if _OPTIMIZER.search(name) else "model")


def _keys(leaf: object) -> list[str]:
    keys = documents.items(documents.members(leaf).get("key_metadata"))
    return [str(documents.members(key).get("key")) for key in keys]


def _shared(source: Source, file: str) -> frozenset[str]:
    """Base64 of the names of arrays that more than one device wrote a part of."""
    if file not in source.files():
        return frozenset()
    found: set[str] = set()
    for name, text in documents.read_object(source, file).value.items():
        sharding = documents.parse(str(text).encode(), file).value
        devices = documents.items(sharding.get("shape"))
        if any(side != 1 for side in devices):
            found.add(name)
    return frozenset(found)


def _encoded(leaf: object) -> str:
    """Its name as the file of shardings has it."""
    return b2a_base64(".".join(_keys(leaf)).encode(), newline=False).decode()


def _told(top: Mapping[str, Any]) -> dict[str, Any]:
    custom = top.get("custom_metadata")
    times = {key: top[key] for key in ("commit_timestamp_nsecs",) if key in top}
    return {**times, **documents.members(custom)}
