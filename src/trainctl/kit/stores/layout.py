"""Where a checkpoint lies in a store, and which manifests there are to be trusted.

`runs/RUN/ATTEMPT-STEP-ID/` holds `data/`, then, written last, `manifest.json`, and `pinned` where
somebody pinned it. The key says which content it is, so that no late writer overwrites another.
"""

from __future__ import annotations

import os
import re
import threading
from typing import Mapping, NamedTuple, Optional, Tuple

from trainctl.kit import manifest as manifests
from trainctl.kit.manifest import Manifest
from trainctl.kit.stores.protocol import CorruptError, Store, StoreError

MANIFEST = "manifest.json"
LONGEST_MANIFEST = 64 << 20  # bytes; 100,000 files, the most of a checkpoint, need no more
_SHORT = 8 << 20  # manifests up to here are read at the same time, longer ones one at a time
_long = threading.Lock()
PINNED = "pinned"
_KEY = re.compile(r"runs/([^/]+)/([0-9]{1,9})-([0-9]{1,18}|x)-([0-9a-f]{12})")


class Shelved(NamedTuple):
    """A whole checkpoint in a store. attempt: 0 where no run of ours made it; made: a time.

    metrics: as its manifest has them.
    """

    key: str
    run: str
    attempt: int
    step: Optional[int]
    id: str
    size: int
    files: int
    made: float
    pinned: bool
    metrics: Mapping[str, float] = {}


def key_for(manifest: Manifest) -> str:
    """Where it belongs: by what made it and what it holds. What no run made goes by its folder."""
    about = manifest.about
    run = about.run or os.path.basename(os.path.dirname(manifest.path)) or "unnamed"
    run = run.encode("utf-8", "replace").decode()
    step = "x" if about.step is None else str(about.step)
    return f"runs/{run}/{about.attempt or 0}-{step}-{manifest.id[:12]}"


def data_key(key: str, manifest: Manifest, file: str) -> str:
    """Where one file of it lies. file: as in its record; "" is the file that it is itself."""
    return f"{key}/data/{file or os.path.basename(manifest.path)}"


def parts(key: str) -> Tuple[str, int, Optional[int]]:
    """Run, attempt and step. Raises StoreError for what is no key of a checkpoint of ours."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise StoreError(f"{key} is not where a checkpoint of ours would lie")
    run, attempt, step, _ = match.groups()
    return run, int(attempt), None if step == "x" else int(step)


def read_manifest(store: Store, key: str) -> Manifest:
    """Raises AbsentError where there is none, CorruptError where it is damaged or not to trust."""
    what = f"{store.url}/{key}"
    parts(key)
    manifest = _decoded(store, f"{key}/{MANIFEST}")
    if manifest is None:
        raise CorruptError(f"{what}/{MANIFEST} is damaged, or of a newer trainctl")
    problem = _problem(manifest)
    if problem:
        raise CorruptError(f"{what}/{MANIFEST} is not to be trusted: {problem}")
    if manifest.id[:12] != key[-12:]:
        raise CorruptError(f"{what}/{MANIFEST} belongs to another checkpoint: {manifest.id[:12]}")
    return manifest


def _decoded(store: Store, name: str) -> Optional[Manifest]:
    """None for what is damaged. Its size is asked for only where it is not all there at once."""
    data = store.read(name, 0, _SHORT)
    if len(data) < _SHORT:
        return manifests.decode(data)
    item = store.head(name)
    if item is None or item.size > LONGEST_MANIFEST:
        raise CorruptError(f"{store.url}/{name} is longer than a manifest may be")
    with _long:
        return manifests.decode(data + store.read(name, _SHORT, item.size - _SHORT))


def _problem(manifest: Manifest) -> str:
    """Why nothing must be fetched by it; it may come from anybody who can write to the store."""
    names = [record.path for record in manifest.files]
    sizes = [record.size for record in manifest.files]
    if not all(type(name) is str for name in [*names, manifest.path, manifest.id]):
        return "it has names that are no text"
    if not all(type(size) is int and size >= 0 for size in sizes):
        return "it has sizes that are no numbers"
    if len(set(names)) != len(names) or not names:
        return "it names no file, or one twice"
    if (names != [""]) != bool(manifest.is_dir):
        return "it is neither of one file nor of a folder"
    for name in names if manifest.is_dir else [os.path.basename(manifest.path)]:
        if "\0" in name or any(part in {"", ".", ".."} for part in name.split("/")):
            return f"{name!r} leads elsewhere"
    try:
        fits = manifests.identity(manifest.files) == manifest.id
    except (TypeError, ValueError):
        fits = False
    return "" if fits else "its id does not fit its hashes"


def is_key(key: str) -> bool:
    """Whether a checkpoint of ours could lie there."""
    return _KEY.fullmatch(key) is not None


def told(key: str, manifest: Manifest, *, pinned: bool = False) -> Shelved:
    """What is shelved under this key. Raises StoreError where no checkpoint could be."""
    run, attempt, step = parts(key)
    return Shelved(
        key,
        run,
        attempt,
        step,
        manifest.id,
        manifest.size,
        len(manifest.files),
        manifest.made,
        pinned,
        manifest.about.metrics,
    )
