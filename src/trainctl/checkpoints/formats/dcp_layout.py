"""What `.metadata` of a distributed checkpoint tells, and where it does not fit the files.

Source: torch 2.13, distributed/checkpoint/metadata.py and filesystem.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from trainctl.checkpoints.formats.protocol import Tensor, Verdict
from trainctl.checkpoints.reading import allowed, pickles
from trainctl.checkpoints.reading.dtypes import ITEM_BYTES
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.parts import part_of
from trainctl.checkpoints.reading.pickled import Call, Global, Key, Value
from trainctl.checkpoints.source import Source

METADATA = ".metadata"
METADATA_BYTES = pickles.STREAM_BYTES


class Entry(NamedTuple):
    """Where one piece lies. offset: of the piece within its tensor; empty for an object."""

    name: str
    offset: tuple[int, ...]
    file: str
    start: int
    size: int


class Layout(NamedTuple):
    tensors: tuple[Tensor, ...]
    objects: tuple[str, ...]
    entries: tuple[Entry, ...]
    version: str
    imports: tuple[str, ...]
    verdict: Verdict
    findings: Findings


def read_layout(source: Source, folder: str) -> Layout:
    """What `.metadata` tells, and where it does not fit the files. Raises OSError."""
    path = f"{folder}/{METADATA}" if folder else METADATA
    findings = Findings()
    size = source.files().get(path, 0)
    if not 0 < size <= METADATA_BYTES:
        why = f"has {size} bytes, more than is ever read" if size else "is missing or empty"
        findings.append(f"{path} {why}")
        return Layout((), (), (), "", (), Verdict.MALFORMED, findings)
    pickle = pickles.read(source.read(path, 0, size))
    for finding in pickle.findings:
        findings.append(f"{path}: {finding}")
    top = _state(pickle.value, "Metadata")
    if not top and not pickle.findings:
        findings.append(f"{path} does not hold a checkpoint's metadata")
    entries = tuple(_entries(top.get("storage_data"), folder))
    _check(entries, source.files(), findings)
    _check_overlap(entries, source.files(), findings)
    tensors, objects = _contents(top.get("state_dict_metadata"), entries, findings)
    return Layout(
        tensors,
        objects,
        entries,
        str(top.get("version") or ""),
        allowed.imports(pickle),
        allowed.judge(pickle),
        findings,
    )


def _state(value: Value, name: str) -> Mapping[Value, Value]:
    """The fields of an object of this class; of anything else none."""
    if isinstance(value, Key):
        value = value.value
    if not isinstance(value, Call) or not isinstance(value.function, Global):
        return {}
    is_one = value.function.name == name and isinstance(value.state, dict)
    return cast("dict[Value, Value]", value.state) if is_one else {}


def _sides(value: Value) -> tuple[int, ...]:
    """A torch.Size."""
    args = value.args[0] if isinstance(value, Call) and value.args else value
    if not isinstance(args, tuple | list):
        return ()
    return tuple(side for side in args if isinstance(side, int))


def _entries(data: Value, folder: str) -> Iterator[Entry]:
    for key, value in data.items() if isinstance(data, dict) else ():
        index, place = _state(key, "MetadataIndex"), _state(value, "_StorageInfo")
        match (
            index.get("fqn"),
            place.get("relative_path"),
            place.get("offset"),
            place.get("length"),
        ):
            case str(name), str(file), int(start), int(size):
                where = f"{folder}/{file}" if folder else file
                yield Entry(name, _sides(index.get("offset")), where, start, size)
            case _:
                yield Entry(str(index.get("fqn"))[:200], (), "", 0, 0)


def _check(entries: tuple[Entry, ...], files: Mapping[str, int], findings: Findings) -> None:
    """Every entry must lie in its file; a path that leads elsewhere is none of its files."""
    for file in sorted({entry.file for entry in entries} - files.keys()):
        findings.append(f"{file[:200] or 'a file'} is missing, which {METADATA} tells of")
    for entry in entries:
        if entry.file in files and not lies_in(entry, files):
            findings.append(
                f"{entry.name}: bytes {entry.start} to {entry.start + entry.size} "
                f"of {entry.file} are not all there: it has {files[entry.file]}"
            )


def _check_overlap(
    entries: tuple[Entry, ...], files: Mapping[str, int], findings: Findings
) -> None:
    """Entries that share bytes would have them read again and again."""
    filled: dict[str, int] = {}
    for entry in entries:
        filled[entry.file] = filled.get(entry.file, 0) + max(0, entry.size)
    for file, size in filled.items():
        if size > files.get(file, size):
            findings.append(f"{METADATA} tells of {size} bytes in {file}: it has {files[file]}")


def lies_in(entry: Entry, files: Mapping[str, int]) -> bool:
    return 0 <= entry.start <= entry.start + entry.size <= files.get(entry.file, -1)


def _contents(
    told: Value, entries: tuple[Entry, ...], findings: Findings
) -> tuple[tuple[Tensor, ...], tuple[str, ...]]:
    tensors: list[Tensor] = []
    objects: list[str] = []
    places: dict[str, list[Entry]] = {}
    for entry in entries:
        places.setdefault(entry.name, []).append(entry)
    for name, value in told.items() if isinstance(told, dict) else ():
        fields = _state(value, "TensorStorageMetadata")
        if not isinstance(name, str) or not places.get(name):
            findings.append(f"{str(name)[:200]} is nowhere in its files")
        elif fields:
            tensors.append(_tensor(name, fields, places[name]))
            _check_pieces(name, fields, places[name], findings)
        else:
            objects.append(name)
    return tuple(tensors), tuple(objects)


def _tensor(name: str, fields: Mapping[Value, Value], places: list[Entry]) -> Tensor:
    shape = _sides(fields.get("size"))
    properties = fields.get("properties")
    state = properties.state if isinstance(properties, Call) else None
    dtype = state[0] if isinstance(state, tuple) and state else None
    kind = dtype.name if isinstance(dtype, Global) else ""
    size = math.prod(shape) * ITEM_BYTES.get(kind, 0)
    part = part_of(name.partition(".")[0])
    alone = places[0] if len(places) == 1 else None
    if alone is None:
        return Tensor(name, shape, kind, size, part)
    return Tensor(name, shape, kind, size, part, alone.file, alone.start, alone.start + alone.size)


def _check_pieces(
    name: str, fields: Mapping[Value, Value], places: list[Entry], findings: Findings
) -> None:
    """Each chunk of a tensor has its entry, and together they fill it."""
    chunks = fields.get("chunks")
    chunks = chunks if isinstance(chunks, list) else []
    told = [_state(chunk, "ChunkStorageMetadata") for chunk in chunks]
    offsets = {_sides(chunk.get("offsets")) for chunk in told}
    if offsets != {entry.offset for entry in places}:
        findings.append(f"{name}: its pieces are not those that {METADATA} tells of")
    filled = sum(math.prod(_sides(chunk.get("sizes"))) for chunk in told)
    if filled != math.prod(_sides(fields.get("size"))):
        findings.append(f"{name}: its pieces do not fill it")
