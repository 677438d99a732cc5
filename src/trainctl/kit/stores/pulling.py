"""A checkpoint on its way here: all of it beside its place, checked, then renamed into it."""

from __future__ import annotations

import os
from typing import Iterator, List, NamedTuple

from trainctl.kit import files
from trainctl.kit import manifest as manifests
from trainctl.kit.manifest import FileRecord, Manifest
from trainctl.kit.stores.growing import beside, refuse_links
from trainctl.kit.stores.layout import data_key, read_manifest
from trainctl.kit.stores.protocol import (
    CorruptError,
    ExistsError,
    Progress,
    Store,
    StoreError,
    unmoved,
)
from trainctl.kit.stores.pushing import LARGE_BYTES, THREADS
from trainctl.kit.stores.together import Shared, together


class _Job(NamedTuple):
    record: FileRecord
    path: str
    key: str


def pull(
    store: Store, key: str, path: str, *, progress: Progress = unmoved, threads: int = THREADS
) -> Manifest:
    """Fetch a checkpoint to `path`: whole or not at all, checked by SHA-256, times as they were.

    A folder grows beside `path`, from where an earlier pull of it got to. The manifest that is
    returned tells of the files as they lie here; filing it is left to the caller. Done before is
    done at once. Raises ExistsError where something else lies at `path`, OSError where the disk
    fails.
    """
    manifest = read_manifest(store, key)
    path = os.path.abspath(path)
    if os.path.lexists(path):
        if manifests.check(manifest, path):
            raise ExistsError(f"{path} is there already, and is something else")
        progress(manifest.size)
        return _as_here(manifest, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _check_room(manifest, path)
    shared = Shared(progress)
    if not manifest.is_dir:
        job = _Job(manifest.files[0], path, data_key(key, manifest, ""))
        _fetch(store, job, shared)
    else:
        _fetch_folder(store, key, manifest, path, shared, threads)
    files.sync_folder(os.path.dirname(path))
    return _as_here(manifest, path)


def _fetch_folder(
    store: Store, key: str, manifest: Manifest, path: str, progress: Shared, threads: int
) -> None:
    growing = beside(path, manifest.id)
    refuse_links(growing)
    jobs = [
        _Job(record, os.path.join(growing, record.path), data_key(key, manifest, record.path))
        for record in manifest.files
    ]
    for folder in {os.path.dirname(job.path) for job in jobs}:
        os.makedirs(folder, exist_ok=True)
    for job in jobs:
        if job.record.size >= LARGE_BYTES:
            _fetch(store, job, progress)
    small = [job for job in jobs if job.record.size < LARGE_BYTES]
    together(small, lambda job: _fetch(store, job, progress), threads, progress)
    _drop_others(growing, manifest)
    for folder in _folders(growing):
        files.sync_folder(folder)
    os.rename(growing, path)


def _fetch(store: Store, job: _Job, progress: Shared) -> None:
    if _is_here(job):
        progress(job.record.size)
        return
    store.download(
        job.key, job.path, crc32=job.record.crc32, sha256=job.record.sha256, progress=progress
    )
    os.utime(job.path, ns=(job.record.mtime_ns, job.record.mtime_ns))


def _is_here(job: _Job) -> bool:
    """Whether an earlier pull has fetched it, byte for byte."""
    try:
        seen = os.lstat(job.path)
    except FileNotFoundError:
        return False
    return not manifests.check_file(job.record, job.path, seen.st_size)


def _check_room(manifest: Manifest, path: str) -> None:
    seen = os.statvfs(os.path.dirname(path))
    room = seen.f_bavail * seen.f_frsize
    if manifest.size > room > 0 and not os.path.lexists(beside(path, manifest.id)):
        raise StoreError(f"{path} would need {manifest.size} bytes, the disk has room for {room}")


def _drop_others(growing: str, manifest: Manifest) -> None:
    """Remove what an earlier pull of it, under other names, had left."""
    known = {record.path for record in manifest.files}
    for name in manifests.stats(growing):
        if name not in known:
            files.remove(os.path.join(growing, name))
    if set(manifests.stats(growing)) != known:
        raise CorruptError(f"{growing} does not hold what was fetched into it")


def _folders(root: str) -> Iterator[str]:
    yield root
    with os.scandir(root) as listing:
        below: List[str] = [entry.path for entry in listing if entry.is_dir(follow_symlinks=False)]
    for path in below:
        yield from _folders(path)


def _as_here(manifest: Manifest, path: str) -> Manifest:
    """The manifest with the place and times that the files have here."""
    root = os.path.realpath(path)
    seen = manifests.stats(root)
    records = [
        record._replace(mtime_ns=seen[record.path].st_mtime_ns) for record in manifest.files
    ]
    return manifest._replace(path=root, files=records)
