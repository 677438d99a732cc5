"""A run that begins with what lies in a store: fetched into its own folder before it starts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from trainctl.control import stores, transfer
from trainctl.control.transfer import Found
from trainctl.control.wiring import Here
from trainctl.errors import NotFoundError, RefusedError
from trainctl.kit import diverging, manifest
from trainctl.kit.hashing import Pace
from trainctl.kit.manifest import Manifest
from trainctl.kit.stores import layout, shelf

_RUN = re.compile(r"(.+?)/runs/([^/]+)/?")


class Afar(NamedTuple):
    """name: its base name. manifest: of a checkpoint of ours. fetch: brings it into a folder."""

    name: str
    manifest: Manifest | None
    fetch: Callable[[str], Manifest]


def find(here: Here, asked: str, pace: Pace | None) -> Afar:
    """What lies at this URL, or at this key of the user's own store; of a run there, its newest.

    Nothing is fetched yet. Raises NotFoundError, ProviderError and CredentialsError.
    """
    with stores.told():
        found = _found(here, asked)
    return afar(here, found, pace)


def afar(here: Here, found: Found, pace: Pace | None) -> Afar:
    """This one, to be fetched once there is a folder for it."""

    def fetch(folder: str) -> Manifest:
        at = os.path.join(folder, found.name)
        try:
            return whole(here, found, at, pace)
        finally:
            manifest.forget(here.home.manifests, at)  # it moves with its run's folder

    return Afar(found.name, found.manifest, fetch)


def _found(here: Here, asked: str) -> Found:
    if layout.is_key(asked):
        own = stores.of_settings(here, f"STORE/{asked}")
        return transfer.find(here, f"{own.url.rstrip('/')}/{asked}", None)
    match = _RUN.fullmatch(asked)
    if match is None:
        return transfer.find(here, asked, None)
    there = [
        one
        for one in shelf.shelved(stores.open_url(here, match[1]), match[2])
        if diverging.of_metrics(one.metrics) is None
    ]
    if not there:
        raise NotFoundError(f"{match[1]} holds no checkpoint of {match[2]}")
    return transfer.find(here, f"{match[1]}/{there[-1].key}", None)


def whole(here: Here, found: Found, path: str, pace: Pace | None) -> Manifest:
    """Fetch it to this path and file its manifest. Raises RefusedError where it does not hold."""
    pulled = transfer.pull(here, found, path, pace or _unmoved)
    if pulled.findings or pulled.manifest is None:
        what = pulled.findings[0] if pulled.findings else "it was written to while it was read"
        raise RefusedError(f"{found.url} does not hold: {what}")
    return pulled.manifest


def _unmoved(count: int) -> None:
    """Nobody watches."""
