"""Fetch what somebody else has put into a store: an object, or all that lies under a prefix."""

from __future__ import annotations

import os
import shutil

from trainctl.errors import RefusedError
from trainctl.kit import files
from trainctl.kit.stores.growing import beside, refuse_links
from trainctl.kit.stores.protocol import AbsentError, CorruptError, Item, Progress, Store
from trainctl.kit.stores.pushing import THREADS
from trainctl.kit.stores.together import Shared, together

_LONGEST_LIST = 100_000  # objects under a prefix; more are no checkpoint


def items(store: Store, key: str) -> dict[str, Item]:
    """What makes it up, by path relative to it; "" is the object that it is itself.

    Raises AbsentError where there is nothing, CorruptError for names that lead elsewhere.
    """
    item = store.head(key)
    if item is not None:
        return {"": item}
    found: dict[str, Item] = {}
    for item in store.list(f"{key}/"):
        name = item.key[len(key) + 1 :]
        if any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
            raise CorruptError(f"{store.url}/{item.key}: its name leads elsewhere")
        found[name] = item
        if len(found) > _LONGEST_LIST:
            raise CorruptError(f"{store.url}/{key} holds more than {_LONGEST_LIST} objects")
    if not found:
        raise AbsentError(f"{store.url}/{key}: there is nothing")
    return found


def fetch(store: Store, key: str, path: str, progress: Progress) -> None:
    """Bring it to `path`: whole or not at all, by the store's own checksums.

    Raises RefusedError where something lies there.
    """
    if os.path.lexists(path):
        raise RefusedError(f"{path} is there already", hint="name another place to pull it to")
    there = items(store, key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shared = Shared(progress)
    if "" in there:
        store.download(there[""].key, path, progress=shared)
    else:
        _fetch_folder(store, there, path, shared)
    files.sync_folder(os.path.dirname(path))


def _fetch_folder(store: Store, there: dict[str, Item], path: str, shared: Shared) -> None:
    which = "\n".join(f"{item.key} {item.etag}" for item in there.values())
    growing = beside(path, which)
    refuse_links(growing)
    shutil.rmtree(growing, ignore_errors=True)  # without a manifest, nobody knows what it holds

    def one(name: str) -> None:
        target = os.path.join(growing, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        store.download(there[name].key, target, progress=shared)

    together(there, one, THREADS, shared)
    for folder, _, _ in os.walk(growing):
        files.sync_folder(folder)
    os.rename(growing, path)
