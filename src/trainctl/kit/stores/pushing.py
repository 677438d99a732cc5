"""A checkpoint on its way to a store: only what is not there yet, the manifest last."""

from __future__ import annotations

import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from trainctl.kit import manifest as manifests
from trainctl.kit.manifest import FileRecord, Manifest
from trainctl.kit.stores.layout import (
    LONGEST_MANIFEST,
    MANIFEST,
    Shelved,
    data_key,
    is_key,
    key_for,
    parts,
    read_manifest,
    told,
)
from trainctl.kit.stores.protocol import (
    NONE,
    AbsentError,
    Blocks,
    CorruptError,
    ExistsError,
    Item,
    Progress,
    Store,
    StoreError,
    UnsupportedError,
    unmoved,
)
from trainctl.kit.stores.together import Shared, together

LARGE_BYTES = 32 << 20  # from here on a store moves parts of one file at the same time
THREADS = 8  # files at the same time that are smaller
_NEIGHBOURS = 4  # checkpoints of the same run that are asked what they hold already
_ABANDONED_SECONDS = 86400.0 * 3

Content = Tuple[str, int]  # SHA-256 and size


def push(
    store: Store, manifest: Manifest, *, progress: Progress = unmoved, threads: int = THREADS
) -> Shelved:
    """Send what the manifest says lies at its path; done before is done at once.

    progress: told of all of its bytes, those that need not be sent too.
    Raises CorruptError where the files are not as the manifest says; nothing counts as there then.
    """
    key = key_for(manifest)
    try:
        there = read_manifest(store, key)
    except AbsentError:
        encoded = manifests.encode(manifest)
        if len(encoded) > LONGEST_MANIFEST:
            raise StoreError(
                f"{manifest.path}: its manifest would be too long to be read"
            ) from None
        _Push(store, manifest, Shared(progress)).run(threads)
        there = _file(store, key, manifest, encoded)
        store.sweep(f"{os.path.dirname(key)}/", time.time() - _ABANDONED_SECONDS)
    else:
        progress(manifest.size)
    return told(key, there)


def _file(store: Store, key: str, manifest: Manifest, encoded: bytes) -> Manifest:
    """Put the manifest, unless somebody who pushed the same was faster."""
    name = f"{key}/{MANIFEST}"
    try:
        store.write(name, encoded, if_absent=True)
    except ExistsError:
        return read_manifest(store, key)
    except UnsupportedError:  # the key tells the content: who overwrites it, writes the same
        store.write(name, encoded)
    return manifest


class _Job(NamedTuple):
    record: FileRecord
    path: str
    key: str


class _Push:
    def __init__(self, store: Store, manifest: Manifest, progress: Shared) -> None:
        self._store = store
        self._progress = progress
        self._key = key_for(manifest)
        root = manifest.path
        self._jobs = [
            _Job(
                record,
                os.path.join(root, record.path) if record.path else root,
                data_key(self._key, manifest, record.path),
            )
            for record in manifest.files
        ]
        self._there: Dict[str, Item] = {}
        self._elsewhere: Dict[Content, str] = {}

    def run(self, threads: int) -> None:
        self._there = {item.key: item for item in self._store.list(f"{self._key}/data/")}
        self._elsewhere = self._held_by_neighbours()
        for job in self._jobs:
            if job.record.size >= LARGE_BYTES:
                self._bring(job)
        small = [job for job in self._jobs if job.record.size < LARGE_BYTES]
        together(small, self._bring, threads, self._progress)

    def _bring(self, job: _Job) -> None:
        if self._is_there(job) or self._copied(job):
            self._progress(job.record.size)
            return
        record = job.record
        seen = os.stat(job.path)
        is_known = (seen.st_size, seen.st_mtime_ns) == (record.size, record.mtime_ns)
        blocks = Blocks(record.block_bytes, record.blocks) if is_known else NONE
        self._store.upload(
            job.path, job.key, crc32=record.crc32, blocks=blocks, progress=self._progress
        )

    def _is_there(self, job: _Job) -> bool:
        """Whether an earlier push got so far; believed only by a checksum of the store's own."""
        item = self._there.get(job.key)
        if item is None or item.size != job.record.size:
            return False
        seen = self._store.head(job.key)
        return seen is not None and (seen.size, seen.crc32) == (item.size, job.record.crc32)

    def _copied(self, job: _Job) -> bool:
        """Whether the store had the same content elsewhere, and has it here now."""
        source = self._elsewhere.get((job.record.sha256, job.record.size))
        if source is None:
            return False
        try:
            done = self._store.copy(source, job.key)
        except AbsentError:  # pruned meanwhile
            return False
        seen = self._store.head(job.key) if done else None
        if seen is None or seen.size != job.record.size:
            return False
        return seen.crc32 in {None, job.record.crc32}

    def _held_by_neighbours(self) -> Dict[Content, str]:
        """Where the newest other checkpoints of the run hold what, by content."""
        parent = os.path.dirname(self._key)
        folders = [item.key[:-1] for item in self._store.list(f"{parent}/", folders=True)]
        found: Dict[Content, str] = {}
        for key in _newest(folders, self._key):
            manifest = _whole(self._store, key)
            for record in manifest.files if manifest else ():
                content = (record.sha256, record.size)
                found[content] = data_key(key, manifest, record.path) if manifest else ""
        return found


def _newest(folders: List[str], but: str) -> List[str]:
    def age(key: str) -> Tuple[int, int]:
        _, attempt, step = parts(key)
        return attempt, -1 if step is None else step

    others = [key for key in folders if key != but and is_key(key)]
    return sorted(others, key=age)[-_NEIGHBOURS:]


def _whole(store: Store, key: str) -> Optional[Manifest]:
    try:
        return read_manifest(store, key)
    except (AbsentError, CorruptError):
        return None
