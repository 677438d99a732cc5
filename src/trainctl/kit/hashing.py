"""Read a file once for its hashes; read it again to see whether, and where, it differs."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import Callable, Iterator, List, NamedTuple, Optional

from trainctl.kit import crc
from trainctl.kit.stores.aside import Aside

_CHUNK = 1 << 20
_LARGE = 32 << 20  # below, a thread costs more than it brings
_BLOCKS = 1024  # of a file: how finely damage is located

Pace = Callable[[int], None]  # told of each chunk's bytes once it is read; may sleep, may raise


class ChangedError(Exception):
    """The checkpoint was written to while it was read: whoever asked may try again later."""


class FileRecord(NamedTuple):
    """path: relative to the checkpoint, "" for one that is a single file.

    blocks: the CRC-32 of each `block_bytes`, which tell where damage is; crc32: of all of it.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    crc32: int
    block_bytes: int
    blocks: List[int]


class Damage(NamedTuple):
    """What is wrong with one file. start, end: the bytes, where they could be located."""

    file: str
    what: str
    start: Optional[int] = None
    end: Optional[int] = None


class _Sha256:
    """The sum of chunks, each of which stays as it is until the next but one is added.

    aside: in a thread of its own, while the caller reads the next.
    """

    def __init__(self, *, aside: bool) -> None:
        self._sum = hashlib.sha256()
        self._aside = Aside(self._sum.update) if aside else None
        self._is_busy = False

    def __enter__(self) -> _Sha256:  # noqa: PYI034 - Self is younger than Python 3.8
        return self

    def __exit__(self, *_: object) -> None:
        if self._aside is not None:
            self._aside.close()

    def add(self, chunk: memoryview) -> None:
        if self._aside is None:
            self._sum.update(chunk)
            return
        self._settle()
        self._aside.begin(chunk)
        self._is_busy = True

    def hexdigest(self) -> str:
        self._settle()
        return self._sum.hexdigest()

    def _settle(self) -> None:
        if self._aside is not None and self._is_busy:
            self._is_busy = False
            self._aside.wait()


def hash_file(
    path: str,
    name: str,
    seen: os.stat_result,
    pace: Optional[Pace] = None,
    *,
    aside: bool = False,
) -> FileRecord:
    """One file's record. Raises ChangedError unless it has the size that was seen.

    aside: quicker by a second core, where the file is large.
    """
    done = 0
    block_bytes = block_size(seen.st_size)
    blocks: List[int] = []
    with _Sha256(aside=aside and seen.st_size >= _LARGE) as whole:
        for chunk in _chunks(path, pace):
            whole.add(chunk)
            at_start = done % block_bytes == 0
            before = 0 if at_start else blocks[-1]
            blocks[len(blocks) - (not at_start) :] = [zlib.crc32(chunk, before)]
            done += len(chunk)
        digest = whole.hexdigest()
    if done != seen.st_size:
        raise ChangedError(f"{path} was written to while it was read")
    total = 0
    for at, block in enumerate(blocks):
        total = crc.combine(total, block, min(block_bytes, done - at * block_bytes))
    return FileRecord(name, done, seen.st_mtime_ns, digest, total, block_bytes, blocks)


def _chunks(path: str, pace: Optional[Pace]) -> Iterator[memoryview]:
    """A file's bytes in two buffers in turn: fresh ones each time cost more than hashing them."""
    view, other = memoryview(bytearray(_CHUNK)), memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        while True:
            view, other = other, view
            count = _fill(file.readinto, view)
            if count:
                yield view[:count]
                if pace is not None:
                    pace(count)
            if count < _CHUNK:
                return


def _fill(readinto: Callable[[memoryview], Optional[int]], view: memoryview) -> int:
    """A whole chunk, however little a read brings, so that blocks begin where they should."""
    count = 0
    while count < len(view):
        got = readinto(view[count:])
        if not got:
            break
        count += got
    return count


def block_size(size: int) -> int:
    """A power of two, at least 1 MiB, of which a file has at most 1,024."""
    block = _CHUNK
    while block * _BLOCKS < size:
        block *= 2
    return block


def check_file(
    record: FileRecord, path: str, size: int, pace: Optional[Pace] = None, *, aside: bool = False
) -> List[Damage]:
    """What of this file differs from its record, in runs of neighbouring blocks."""
    if size != record.size:
        lost = (size, record.size) if size < record.size else ()
        return [Damage(record.path, f"has {size} bytes, not {record.size}", *lost)]
    try:
        with _Sha256(aside=aside and size >= _LARGE) as whole:
            for chunk in _chunks(path, pace):
                whole.add(chunk)
            if whole.hexdigest() == record.sha256:
                return []
        return _located(record, path)
    except OSError as error:
        return [Damage(record.path, f"cannot be read: {error.strerror or error}")]


def _located(record: FileRecord, path: str) -> List[Damage]:
    """Where it differs: it is read once more, which only what is damaged costs."""
    blocks, done = [0] * len(record.blocks), 0
    for chunk in _chunks(path, None) if blocks else ():
        at = min(done // record.block_bytes, len(blocks) - 1)
        blocks[at] = zlib.crc32(chunk, blocks[at])
        done += len(chunk)
    found: List[Damage] = []
    for at, (now, was) in enumerate(zip(blocks, record.blocks)):
        start, end = at * record.block_bytes, min((at + 1) * record.block_bytes, record.size)
        if now == was:
            continue
        if found and found[-1].end == start:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Damage(record.path, "differs from its manifest", start, end))
    return found or [Damage(record.path, "differs from its manifest")]
