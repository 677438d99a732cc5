"""Where what is fetched grows: beside its place, under a name that nobody else would give."""

from __future__ import annotations

import hashlib
import os
import stat

from trainctl.kit.stores.protocol import StoreError

_NAME_BYTES = 200  # of its own name; a name may have 255


def beside(path: str, content: str) -> str:
    """`.NAME.trainctl-ID.partial`. content: tells what is fetched; the ID tells it and NAME."""
    folder, name = os.path.split(path)
    both = f"{name}\0{content}".encode("utf-8", "surrogateescape")
    id12 = hashlib.sha256(both).hexdigest()[:12]
    short = os.fsdecode(os.fsencode(name)[:_NAME_BYTES])
    return os.path.join(folder, f".{short}.trainctl-{id12}.partial")


def refuse_links(growing: str) -> None:
    """Raises StoreError where it is anything but a folder, or a link in it leads elsewhere."""
    try:
        seen = os.lstat(growing)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(seen.st_mode):
        raise StoreError(f"{growing} is in the way: it is no folder of trainctl's; remove it")
    for folder, below, names in os.walk(growing):
        for name in [*below, *names]:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                raise StoreError(f"{path} is in the way: it is a link; remove it")
