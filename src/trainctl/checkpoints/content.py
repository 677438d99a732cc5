"""Whether two checkpoints hold the same bytes: by their manifests, else by reading both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from trainctl.checkpoints.diff import Changed
from trainctl.checkpoints.formats.protocol import Tensor
from trainctl.checkpoints.source import Source
from trainctl.kit import contents, manifest
from trainctl.kit.hashing import Pace

_CHUNK = 1 << 20


def same(before: str, after: str, manifests: str, pace: Pace) -> bool:
    """Whether two paths hold equal content. Raises OSError.

    Where manifests stand for both, nothing is read; else both are, until they differ. A file and
    a folder are never the same; the name of a single file does not count.
    """
    ids = _id_of(before, manifests), _id_of(after, manifests)
    if all(ids):
        return ids[0] == ids[1]
    sizes = _sizes(before)
    return sizes == _sizes(after) and all(
        _same_file(_inside(before, name), _inside(after, name), pace) for name in sizes
    )


def differing(
    pairs: Iterable[Changed], before: Source, after: Source, pace: Pace
) -> tuple[list[str], list[str]]:
    """The names of tensors whose bytes differ, and of those that cannot be compared so.

    Those of another size or type are neither. Raises OSError.
    """
    differ: list[str] = []
    unknown: list[str] = []
    for one, other in pairs:
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            continue
        if None in (one.start, one.end, other.start, other.end):
            unknown.append(one.name)
        elif not _same_tensor(one, other, before, after, pace):
            differ.append(one.name)
    return differ, unknown


def _same_tensor(one: Tensor, other: Tensor, before: Source, after: Source, pace: Pace) -> bool:
    start, begin = one.start or 0, other.start or 0
    length = (one.end or 0) - start
    if length != (other.end or 0) - begin:
        return False
    for at in range(0, length, _CHUNK):
        count = min(_CHUNK, length - at)
        if before.read(one.file, start + at, count) != after.read(other.file, begin + at, count):
            return False
        pace(count)
    return True


def _id_of(path: str, manifests: str) -> str:
    known = manifest.read(manifests, path)
    return known.id if known and manifest.stands(known, path) else ""


def _inside(path: str, name: str) -> str:
    return os.path.join(path, name) if name else path


def _sizes(path: str) -> Mapping[str, int]:
    return {name: seen.st_size for name, seen in contents.stats(path).items()}


def _same_file(before: str, after: str, pace: Pace) -> bool:
    if os.path.samefile(before, after):
        return True
    with open(before, "rb", buffering=0) as one, open(after, "rb", buffering=0) as other:
        while True:
            chunk = one.read(_CHUNK)
            if chunk != other.read(_CHUNK):
                return False
            if not chunk:
                return True
            pace(len(chunk))
