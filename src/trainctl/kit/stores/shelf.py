"""Checkpoints in a store: what is there, how they get there and back, what must stay."""

from __future__ import annotations

import time
from typing import List, Optional

from trainctl.kit.stores.layout import (
    MANIFEST,
    PINNED,
    Shelved,
    is_key,
    key_for,
    parts,
    read_manifest,
    told,
)
from trainctl.kit.stores.protocol import AbsentError, CorruptError, Store
from trainctl.kit.stores.pulling import pull
from trainctl.kit.stores.pushing import push
from trainctl.kit.stores.together import together

__all__ = (
    "Shelved", "discard", "is_pinned", "key_for", "pin", "pull", "push", "read_manifest",
    "shelved", "unpin",
)  # fmt: skip
THREADS = 8


def shelved(store: Store, run: Optional[str] = None) -> List[Shelved]:
    """The whole checkpoints of a run, or of all, by run, attempt and step.

    Those that are still being pushed, and what is damaged, are left out. Two requests each.
    """
    runs = [f"runs/{run}/"] if run else [item.key for item in store.list("runs/", folders=True)]
    keys = [item.key[:-1] for each in runs for item in store.list(each, folders=True)]
    found: List[Shelved] = []

    def look(key: str) -> None:
        try:
            manifest = read_manifest(store, key)
        except (AbsentError, CorruptError):
            return
        found.append(told(key, manifest, pinned=is_pinned(store, key)))

    together((key for key in keys if is_key(key)), look, THREADS)
    return sorted(found, key=lambda one: (one.run, one.attempt, one.step or 0, one.made, one.key))


def discard(store: Store, key: str) -> None:
    """Remove a checkpoint: its manifest first, so that no half of it ever counts as one.

    What a killed discard, or a killed push, has left is removed by the next. Gone is success.
    """
    parts(key)
    store.delete([f"{key}/{MANIFEST}"])
    store.delete([item.key for item in store.list(f"{key}/")])
    store.sweep(f"{key}/", time.time())


def pin(store: Store, key: str) -> None:
    """Mark it never to be pruned. Raises AbsentError where there is no such checkpoint."""
    parts(key)
    if store.head(f"{key}/{MANIFEST}") is None:
        raise AbsentError(f"{store.url}: there is no checkpoint {key}")
    store.write(f"{key}/{PINNED}", b"")


def is_pinned(store: Store, key: str) -> bool:
    return store.head(f"{key}/{PINNED}") is not None


def unpin(store: Store, key: str) -> None:
    parts(key)
    store.delete([f"{key}/{PINNED}"])
