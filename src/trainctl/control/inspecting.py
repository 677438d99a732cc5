"""Open one checkpoint by the word that names it, and gather what is known of it."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.formats.protocol import Inspection, Resuming
from trainctl.checkpoints.source import LocalSource, Source
from trainctl.control import checkpoints
from trainctl.control.checkpoints import PATH, RUN, URL, Ground, Target
from trainctl.errors import NotFoundError, TrainctlError, UsageError
from trainctl.kit import contents

if TYPE_CHECKING:
    from trainctl.kit.manifest import Manifest
    from trainctl.records.job import Job
    from trainctl.records.lineage import Lineage

_SHELVED = "/manifest.json"
LOOSE = ("folder", "opaque")  # folders that no framework has laid out


class Known(NamedTuple):
    """What is known of one checkpoint besides what its reader says.

    modified: seconds since the epoch, of its newest file; None where it is in a store. incomplete:
    why, "" when it is whole. stands: whether nothing was written to it since its manifest.
    """

    size: int
    files: int
    modified: float | None
    incomplete: str
    manifest: Manifest | None
    stands: bool
    pinned: bool
    lineage: Lineage | None


@contextmanager
def opened(where: Ground, text: str | None) -> Generator[tuple[Target, Source]]:
    """The checkpoint that this names, in a folder or in a store; of a run, its newest.

    None is the newest run. Raises NotFoundError, TrainctlError, ProviderError.
    """
    target = checkpoints.given(where, text, "info")
    if target.kind == RUN:
        target = _newest(where, target)
    if target.kind == PATH:
        try:
            with LocalSource(target.path) as source:
                yield target, source
        except OSError as error:
            name = error.filename or target.path
            raise TrainctlError(
                f"{name}: {error.strerror or error}", hint="ls -l shows whose it is"
            ) from error
        return
    from trainctl.control import stores
    from trainctl.control.wiring import connect

    with stores.told():
        from trainctl.checkpoints.remote import StoreSource

        store, key = stores.locate(connect(where.cwd, where.environ), target.path)
        yield target, StoreSource(store, key)


def _newest(where: Ground, run: Target) -> Target:
    from trainctl.kit import candidates
    from trainctl.records import job as jobs

    job = jobs.read(run.run)
    found = candidates.of_run(run.run, job.to_json())
    url = _newest_stored(where, run, job) if not found else None
    if url is not None:
        return Target(URL, url, url)
    if not found:
        raise NotFoundError(
            f"{run.text} has no checkpoint yet", hint=f"trainctl checkpoint list {run.text}"
        )
    path = found[0].path
    return Target(PATH, path.removeprefix(where.cwd + os.sep), path)


def _newest_stored(where: Ground, run: Target, job: Job) -> str | None:
    """The URL of the newest that its store has, where this machine has none."""
    if job.store is None:
        return None
    from trainctl.control import stores
    from trainctl.control.wiring import connect
    from trainctl.kit.stores import shelf

    with stores.told():
        store = stores.of_job(connect(where.cwd, where.environ), job.store)
        there = shelf.shelved(store, run.text)
    return f"{store.url.rstrip('/')}/{there[-1].key}" if there else None


def inspect(target: Target, source: Source) -> tuple[Inspection, Resuming]:
    """What its reader says. Raises UsageError for a folder that only holds checkpoints."""
    if target.kind != PATH:
        _refuse_store(target, source)
    inspection = registry.inspect(source)
    if target.kind == PATH and source.is_dir and inspection.format in LOOSE:
        _refuse_many(target)
    return inspection, registry.resuming(inspection)


def _refuse_store(target: Target, source: Source) -> None:
    """A store, and a run in it, hold checkpoints; each has a manifest of ours beside its data."""
    many = sum(1 for name in source.files() if name.endswith(_SHELVED)) if source.is_dir else 0
    if many:
        counted = "1 checkpoint" if many == 1 else f"{many} checkpoints"
        raise UsageError(
            f"{target.text} is no checkpoint but a store with {counted}; name one",
            hint=f"trainctl checkpoint list {target.text}",
        )


def _refuse_many(target: Target) -> None:
    """A folder that no framework has laid out may be one with checkpoints in it."""
    from trainctl.checkpoints import catalogue
    from trainctl.kit.checkpoints import DEPTH, is_checkpoint_name, step_of

    if is_checkpoint_name(os.path.basename(target.path), is_dir=True):
        return
    tree = catalogue.walk(target.path, depth=DEPTH)
    names = [name for folder in tree.folders for name in folder.names]
    if any(step_of(name) is not None for name in names):
        many = "1 checkpoint" if len(names) == 1 else f"{len(names)} checkpoints"
        raise UsageError(
            f"{target.text} is no checkpoint but a folder with {many}; name one",
            hint=f"trainctl checkpoint list {target.text}",
        )


def known(where: Ground, target: Target, source: Source) -> Known:
    """What this machine knows of it."""
    sizes = source.files()
    if target.kind != PATH:
        return _known_in_store(where, target, sizes)
    seen = contents.stats(target.path)
    newest = max((one.st_mtime for one in seen.values()), default=0.0)
    filed = _filed(where, target.path)
    size, stands = sum(sizes.values()), filed[1]
    return Known(
        size,
        len(sizes),
        newest,
        "" if stands else _incomplete(target.path, size, newest, is_dir=source.is_dir),
        *filed,
        _lineage(where, target.path, filed[0]),
    )


def _known_in_store(where: Ground, target: Target, sizes: Mapping[str, int]) -> Known:
    from trainctl.control import stores
    from trainctl.control.wiring import connect
    from trainctl.kit.stores import layout

    size, count = sum(sizes.values()), len(sizes)
    with stores.told():
        store, key = stores.locate(connect(where.cwd, where.environ), target.path)
        if not layout.is_key(key):
            return Known(size, count, None, "", None, stands=False, pinned=False, lineage=None)
        filed = layout.read_manifest(store, key)
        is_pinned = store.head(f"{key}/{layout.PINNED}") is not None
    from trainctl.records import lineage

    came = lineage.of(where.home, target.path, filed.about)
    return Known(size, count, None, "", filed, stands=True, pinned=is_pinned, lineage=came)


def _incomplete(path: str, size: int, newest: float, *, is_dir: bool) -> str:
    from trainctl.kit import completeness
    from trainctl.kit.checkpoints import Found

    found = Found(path, None, size, newest, is_dir)
    return completeness.incompleteness(found, writers_alive=True) or ""


def _filed(where: Ground, path: str) -> tuple[Manifest | None, bool, bool]:
    """Its manifest, whether that stands, and whether it is pinned."""
    home = where.home
    if not (os.path.isdir(home.manifests) or os.path.isdir(home.pins)):
        return None, False, False
    name = f"{contents.key_of(path)}.json"
    is_pinned = os.path.exists(os.path.join(home.pins, name))
    if not os.path.exists(os.path.join(home.manifests, name)):
        return None, False, is_pinned
    from trainctl.kit import manifest

    filed = manifest.read(home.manifests, path)
    return filed, filed is not None and manifest.stands(filed, path), is_pinned


def _lineage(where: Ground, path: str, filed: Manifest | None) -> Lineage | None:
    """None where there is no run that could have made it, or gone on from it."""
    try:
        with os.scandir(where.home.runs) as runs:
            if next(runs, None) is None:
                return None
    except OSError:
        return None
    from trainctl.records import lineage

    return lineage.of(where.home, path, filed.about if filed else None)
