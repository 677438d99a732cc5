"""Pin checkpoints against pruning, here and in stores."""

from __future__ import annotations

import os

from trainctl.control import checkpoints, stores
from trainctl.control.checkpoints import Ground
from trainctl.errors import UsageError
from trainctl.kit import pins
from trainctl.kit.checkpoints import is_checkpoint_folder, is_checkpoint_name


def pin(where: Ground, text: str, *, pinned: bool) -> str:
    """Pin the checkpoint at this path or URL, or let pruning decide about it again.

    Twice is once. Returns its path or URL. Raises NotFoundError, UsageError for what is none.
    """
    if "://" in text and not text.startswith("file://"):
        return _pin_shelved(where, text, pinned=pinned)
    path = checkpoints.local(where, text)
    if _is_shelved(path):
        return _pin_shelved(where, path, pinned=pinned)
    if os.path.isdir(path) and not _is_one(path):
        raise UsageError(
            f"{path} is a folder, and no checkpoint; pin what lies in it",
            hint=f"trainctl checkpoint list {path}",
        )
    if pinned:
        pins.pin(where.home.pins, path)
    else:
        pins.unpin(where.home.pins, path)
    return path


def _is_shelved(path: str) -> bool:
    """Whether it is a checkpoint in a folder store."""
    from trainctl.kit.stores import layout
    from trainctl.kit.stores.walking import STAGING

    root, key = stores.split(path)
    return layout.is_key(key) and os.path.isdir(os.path.join(root, STAGING))


def _is_one(folder: str) -> bool:
    named = is_checkpoint_name(os.path.basename(folder), is_dir=True)
    return named or is_checkpoint_folder(os.listdir(folder))


def _pin_shelved(where: Ground, url: str, *, pinned: bool) -> str:
    from trainctl.control.wiring import connect
    from trainctl.kit.stores import layout, shelf

    store, key = stores.locate(connect(where.cwd, where.environ), url)
    if not layout.is_key(key):
        raise UsageError(
            f"{url} is no checkpoint that trainctl has pushed",
            hint=f"trainctl checkpoint list {store.url}",
        )
    with stores.told():
        if pinned:
            shelf.pin(store, key)
        else:
            shelf.unpin(store, key)
    return url
