"""The store that a URL names: `s3://BUCKET/PREFIX`, `file:///FOLDER`, or a folder's path."""

from __future__ import annotations

import os
from typing import Mapping
from urllib.parse import unquote

from trainctl.kit.stores.protocol import Store


def is_url(text: str) -> bool:
    """Whether it names a store by a URL, not by a path."""
    return "://" in text


def open_store(url: str, options: Mapping[str, str], environ: Mapping[str, str]) -> Store:
    """Nothing is asked of the store yet.

    options: `endpoint`, `region`, `profile`; they may be absent or empty. environ: where AWS_*
    variables and HOME are looked up. Raises ValueError for a URL that names no store.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return _folder(url, url)
    if scheme == "file":
        return _folder(unquote(rest), url)
    if scheme == "s3":
        from trainctl.kit.stores.s3 import open_s3

        return open_s3(url, options, environ)
    raise ValueError(f"{url!r} is neither s3://BUCKET/PREFIX nor a folder")


def _folder(path: str, url: str) -> Store:
    from trainctl.kit.stores.folder import FolderStore

    if not os.path.isabs(path):
        raise ValueError(f"{url!r} is no absolute path, so every folder would have a store")
    return FolderStore(path)
