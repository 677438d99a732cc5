"""The files of a checkpoint's folder, each read by the reader of its own kind, put together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from trainctl.checkpoints.formats import safetensors
from trainctl.checkpoints.formats.protocol import Scalar, Tensor, Verdict
from trainctl.checkpoints.formats.torch_zip import TorchFile, read_pickle, read_torch
from trainctl.checkpoints.reading import documents
from trainctl.checkpoints.reading.findings import Findings
from trainctl.checkpoints.reading.parts import part_of
from trainctl.checkpoints.reading.zip_checks import verify_members
from trainctl.checkpoints.reading.zips import Span, read_directory
from trainctl.checkpoints.source import Source
from trainctl.kit import layouts

FILES = 5_000  # that are looked into; the rest is sized
_DOCUMENT = 4 << 20  # a tokenizer's may be larger, and costs more to read than it tells
_PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".tar")
_PLAIN = (".safetensors", ".json", ".jsonl", ".txt", ".md", ".jinja", ".py", ".yaml", ".yml")
_SHARDS = (".distcp", "/.metadata")  # of a distributed checkpoint, which has a reader of its own
_MAGIC = (b"\x80", b"PK")  # of a pickle, and of a zip, which may hold one
_WORST = (Verdict.DATA, Verdict.OPAQUE, Verdict.CODE, Verdict.MALFORMED)


class Parts(NamedTuple):
    """scalars: by file and dotted key, `scheduler.last_epoch`. findings: each begins with a file.

    looked_into: the files that were read. left: those that were not, and may hold code.
    """

    tensors: tuple[Tensor, ...]
    scalars: dict[str, Scalar]
    imports: tuple[str, ...]
    verdict: Verdict
    findings: Findings
    looked_into: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def has_optimizer(self) -> bool:
        stems = {part_of(_stem(file)) for file in self.looked_into}
        return "optimizer" in stems or any(t.part == "optimizer" for t in self.tensors)


def read_files(source: Source, names: Iterable[str], folders: Collection[str] = ()) -> Parts:
    """All that tensors and pickles tell, of these files. Raises OSError.

    folders: those in it that are distributed checkpoints, which the caller reads.
    """
    tensors: list[Tensor] = []
    scalars: dict[str, Scalar] = {}
    imports: set[str] = set()
    findings = Findings()
    verdicts = set[Verdict]()
    chosen = [name for name in sorted(names) if name.endswith((".safetensors", *_PICKLES))][:FILES]
    for name in chosen:
        stem = _stem(name)
        if name.endswith(".safetensors"):
            header = safetensors.read_header(source, name)
            tensors.extend(header.tensors)
            scalars.update({f"{stem}.{key}": value for key, value in header.metadata.items()})
            wrong, verdict = header.findings, Verdict.DATA
        else:
            seen = _read_pickled(source, name)
            tensors.extend(_of_part(seen.tensors, part_of(stem)))
            scalars.update({f"{stem}.{key}": value for key, value in seen.scalars.items()})
            imports.update(seen.imports)
            wrong, verdict = seen.findings, seen.verdict
        verdicts.add(verdict)
        for finding in wrong:
            findings.append(f"{name}: {finding}")
    left = _left(source, frozenset(chosen), folders)
    if left or not chosen:
        verdicts.add(Verdict.OPAQUE)
    told = tuple(sorted(imports)), worst(*verdicts), findings
    return Parts(tuple(tensors), scalars, *told, tuple(chosen), left)


def _left(source: Source, read: Collection[str], folders: Collection[str]) -> tuple[str, ...]:
    """The files of it that may hold code and were not looked into, whatever they are called."""
    rest = [
        name
        for name, size in sorted(source.files().items())
        if size and name not in read and not name.endswith(_PLAIN)
        if not (name.endswith(_SHARDS) and name.rpartition("/")[0] in folders)
    ]
    return tuple(
        name
        for at, name in enumerate(rest)
        if at >= FILES or name.endswith(_PICKLES) or _begins_like_code(source, name)
    )


def _begins_like_code(source: Source, name: str) -> bool:
    try:
        return source.read(name, 0, 2).startswith(_MAGIC)
    except OSError:
        return True


def flaws_of(source: Source, parts: Parts) -> Iterator[str]:
    """What is wrong with its files, with its documents, and with what is not there at all."""
    files = source.files()
    yield from parts.findings
    yield from layouts.by_names(frozenset(files))
    for name in sorted(files):
        is_read_elsewhere = name.endswith((".index.json", "trainer_state.json"))
        if name.endswith(".json") and files[name] <= _DOCUMENT and not is_read_elsewhere:
            yield from documents.read(source, name).findings
    if not any(tensor.part == "model" for tensor in parts.tensors):
        yield "no file in it holds a model's weights"


def worst(*verdicts: Verdict) -> Verdict:
    """What was not looked into is no data: it may be anything."""
    return max(verdicts, key=_WORST.index)


def verdict_with(parts: Parts, shards: Collection[Verdict]) -> Verdict:
    """Of these files and of the distributed checkpoints beside them, which may be all there is."""
    is_nothing = not parts.looked_into and not parts.left
    return worst(*shards) if shards and is_nothing else worst(parts.verdict, *shards)


def _read_pickled(source: Source, name: str) -> TorchFile:
    if source.read(name, 0, 4)[:2] == b"PK":
        return read_torch(source, name)
    return read_pickle(source, name)


def _of_part(tensors: Iterable[Tensor], part: str) -> Iterable[Tensor]:
    """In a file that is called `optimizer`, everything is the optimizer's."""
    return tensors if part == "model" else (tensor._replace(part=part) for tensor in tensors)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]


def verify_files(source: Source, names: Collection[str]) -> list[str]:
    """What the checksums in these files find wrong; reads all of those that have some."""
    found = Findings()
    for name in sorted(names):
        if name.endswith(_PICKLES) and source.read(name, 0, 2) == b"PK":
            for finding in _verify_torch(source, name):
                found.append(f"{name}: {finding}")
    return found


def _verify_torch(source: Source, name: str) -> list[str]:
    span = Span.whole(source, name)
    owners = {(tensor.start or 0): tensor.name for tensor in read_torch(source, name).tensors}
    return verify_members(span, read_directory(span), owners)
