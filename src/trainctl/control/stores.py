"""Stores as commands open them, and their errors in the words of the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from trainctl.control.wiring import Here
from trainctl.errors import (
    ConfigError,
    CredentialsError,
    NotFoundError,
    ProviderError,
    RefusedError,
    TrainctlError,
    UsageError,
)
from trainctl.kit.stores import layout, protocol
from trainctl.kit.stores.opening import is_url, open_store
from trainctl.kit.stores.protocol import Store, StoreError

_OURS = re.compile(r"(.*?)/?(runs/[^/]+/[^/]+)/?")
_ROOT = re.compile(r"(s3://[^/]+)/(.+)")


def options(here: Here) -> dict[str, str]:
    """How the user's settings say that stores are reached."""
    settings = here.settings
    return {
        "endpoint": settings.store_endpoint or "",
        "region": settings.store_region or "",
        "profile": settings.store_profile or "",
    }


def open_url(here: Here, url: str) -> Store:
    """The store that a URL or a folder names. Nothing is asked of it yet. Raises UsageError."""
    if not is_url(url):
        url = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(url)))
    return _opened(url, options(here), here.environ)


def of_settings(here: Here, option: str) -> Store:
    """The user's own store. Raises ConfigError where none is set.

    option: what would name one on this command line, for the message.
    """
    if here.settings.store is None:
        raise ConfigError(
            "no store is set",
            hint=f"{option}; or store = ... in your own file: trainctl config path user "
            "(STORE is s3://BUCKET/PREFIX, or a folder)",
        )
    return open_url(here, here.settings.store)


def of_job(here: Here, store: Mapping[str, str]) -> Store:
    """The store that a run was started with. store: as its job records it."""
    return _opened(store["url"], store, here.environ)


def locate(here: Here, url: str) -> tuple[Store, str]:
    """The store and key of what one URL names: a checkpoint of ours, an object, a prefix.

    Raises UsageError for a URL of no store, or of nothing in one.
    """
    rest, key = split(url)
    if not key:
        raise UsageError(
            f"{url} names a store, not one checkpoint in it",
            hint=f"trainctl checkpoint list {url}",
        )
    return open_url(here, rest), key


def split(url: str) -> tuple[str, str]:
    """A URL's store and key; no key where the URL is a bucket's or a folder's own.

    Of a checkpoint of ours the store is what lies above `runs/`, else it is the bucket.
    """
    ours = _OURS.fullmatch(url)
    if ours is not None and layout.is_key(ours[2]):
        return ours[1] or "/", ours[2]
    root = _ROOT.fullmatch(url)
    if root is not None:
        return root[1], root[2].strip("/")
    if url.startswith("s3://"):
        return url, ""
    path = os.path.normpath(url.removeprefix("file://"))
    return os.path.dirname(path), os.path.basename(path)


def _opened(url: str, reached: Mapping[str, str], environ: Mapping[str, str]) -> Store:
    try:
        with told():
            return open_store(url, reached, environ)
    except ValueError as error:
        raise UsageError(str(error), hint="write s3://BUCKET/PREFIX, or a folder") from error


_KINDS: tuple[tuple[type[StoreError], type[TrainctlError], str], ...] = (
    (protocol.DeniedError, CredentialsError, "check the credentials, or name a profile"),
    (protocol.AbsentError, NotFoundError, "see what there is: trainctl checkpoint list URL"),
    (protocol.ExistsError, RefusedError, ""),
    (protocol.CorruptError, TrainctlError, "try again; then trainctl checkpoint verify"),
    (protocol.UnreachableError, ProviderError, "is the network up, and the endpoint right?"),
    (StoreError, ProviderError, ""),
)


@contextmanager
def told() -> Generator[None]:
    """Within it a store's errors become those that the command line tells.

    That is also so for one that a reader of bytes has passed on as an OSError.
    """
    try:
        yield
    except StoreError as error:
        raise as_told(error) from error
    except OSError as error:
        if isinstance(error.__cause__, StoreError):
            raise as_told(error.__cause__) from error
        raise


def as_told(error: StoreError) -> TrainctlError:
    """The same error for the command line, with a next step."""
    kind, hint = next((kind, hint) for own, kind, hint in _KINDS if isinstance(error, own))
    return kind(str(error), hint=error.hint or hint or None)
