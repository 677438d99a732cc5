"""Checkpoints to and from a store, by hand: which are meant, their manifests, where they land."""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple

from trainctl.control import checkpoints, foreign, lookup, stores
from trainctl.control.checkpoints import Ground
from trainctl.control.wiring import Here
from trainctl.errors import NotFoundError, RefusedError
from trainctl.kit import candidates, completeness, process
from trainctl.kit import manifest as manifests
from trainctl.kit.hashing import Pace
from trainctl.kit.manifest import About, Manifest
from trainctl.kit.names import RunFolder
from trainctl.kit.stores import layout, shelf
from trainctl.kit.stores.opening import is_url
from trainctl.kit.stores.protocol import Progress, Store
from trainctl.kit.stores.shelf import Shelved
from trainctl.records import job as jobs
from trainctl.records import record

_STEP = re.compile(r"(.+)/(\d{1,18})")
_IN_STORE = re.compile(r"(.+?)/runs/([^/]+)/?")


class Meant(NamedTuple):
    """A checkpoint that is to be sent. about: what its run knows of it."""

    path: str
    about: About | None = None


class Found(NamedTuple):
    """What is to be fetched. manifest: of a checkpoint of ours. size: in bytes."""

    store: Store
    key: str
    name: str
    size: int
    manifest: Manifest | None = None

    @property
    def url(self) -> str:
        return f"{self.store.url.rstrip('/')}/{self.key}"


class Pulled(NamedTuple):
    """findings: what is wrong with one that came without a manifest of ours."""

    path: str
    manifest: Manifest | None
    findings: tuple[str, ...] = ()


def meant(here: Here, what: str | None, *, everything: bool) -> list[Meant]:
    """The checkpoints to send: the one at this path, or of a run that, the newest, or all of them.

    what: None is the newest run. Only what is complete is meant. Raises NotFoundError.
    """
    path = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(what or "")))
    if what is not None and os.path.lexists(path):
        checkpoints.refuse_unfinished(path)
        return [Meant(path)]
    inside = checkpoints.in_run(Ground(here.cwd, here.environ, here.home), what or "")
    if inside is not None:
        return [Meant(inside)]
    run = _run(here, what)
    there = _of_run(run)
    if not there:
        raise NotFoundError(
            f"{run.name} has no complete checkpoint yet",
            hint=f"trainctl checkpoint list {run.name}",
        )
    return there if everything else there[:1]


def _run(here: Here, what: str | None) -> RunFolder:
    try:
        return lookup.find(here, what)
    except NotFoundError as error:
        if what is None:
            raise
        raise NotFoundError(
            f"there is no checkpoint and no run {what!r}", hint=error.hint
        ) from error


def _of_run(run: RunFolder) -> list[Meant]:
    """The newest first; a copy of ours is sent only of what its script has overwritten."""
    alive = bool(process.marked(run.path))
    return [
        Meant(one.path, About(run.name, one.attempt or None, one.step))
        for one in candidates.of_run(run, jobs.read(run).to_json())
        if completeness.incompleteness(one.found, writers_alive=alive) is None
    ]


def store_for(here: Here, to: str | None, what: str | None, option: str) -> Store:
    """As asked, else the store of the run that was named, else the user's own.

    option: what asks for one, for messages.
    """
    if to is not None:
        return stores.open_url(here, to)
    name = "" if os.path.exists(os.path.join(here.cwd, what or "")) else (what or "")
    run = here.home.run(name.partition("/")[0]) if name else None
    if run is not None and record.exists(run):
        own = jobs.read(run).store
        if own is not None:
            return stores.of_job(here, own)
    return stores.of_settings(here, option)


def manifest_of(here: Here, one: Meant, pace: Pace) -> Manifest:
    """Its manifest; made, once it has passed, where there is none that stands.

    Raises RefusedError for what is not whole, OSError for what cannot be read.
    """
    known = manifests.read(here.home.manifests, one.path)
    if known is not None and manifests.stands(known, one.path):
        return known
    from trainctl.checkpoints import verify

    seen = verify.verify(one.path, here.home.manifests, pace=pace, about=one.about)
    if seen.findings or seen.manifest is None:
        what = seen.findings[0].what if seen.findings else "it is not whole"
        raise RefusedError(
            f"{one.path} is not sent: {what}", hint=f"trainctl checkpoint verify {one.path}"
        )
    return seen.manifest


def is_there(store: Store, manifest: Manifest) -> bool:
    """Whether the store has all of it already."""
    with stores.told():
        return store.head(f"{layout.key_for(manifest)}/{layout.MANIFEST}") is not None


def push(store: Store, manifest: Manifest, progress: Progress) -> Shelved:
    """Send what its manifest tells; what the store has already is not sent again."""
    with stores.told():
        return shelf.push(store, manifest, progress=progress)


def find(here: Here, what: str, of: str | None) -> Found:
    """What is to be fetched: a URL, a checkpoint's folder in a folder store, or RUN or RUN/STEP.

    Of a run it is the newest that the store `of` holds, else its own. Raises NotFoundError.
    """
    path = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(what)))
    with stores.told():
        if is_url(what):
            return at(*stores.locate(here, what))
        if layout.is_key(stores.split(path)[1]) and os.path.lexists(path):
            return at(*stores.locate(here, path))
        return _newest(here, what, of)


def at(store: Store, key: str) -> Found:
    """What lies there: a checkpoint of ours, an object, a prefix. Raises StoreError."""
    if layout.is_key(key):
        manifest = layout.read_manifest(store, key)
        return Found(store, key, os.path.basename(manifest.path), manifest.size, manifest)
    size = sum(item.size for item in foreign.items(store, key).values())
    return Found(store, key, os.path.basename(key), size)


def _newest(here: Here, what: str, of: str | None) -> Found:
    match = _STEP.fullmatch(what)
    name, step = (match[1], int(match[2])) if match else (what, None)
    try:
        name = lookup.find(here, name).name
    except NotFoundError:
        pass  # a run of another machine; its checkpoints may be in the store all the same
    store = store_for(here, of, name, _from(here, what))
    there = [one for one in shelf.shelved(store, name) if step in {None, one.step}]
    if not there:
        which = f"no checkpoint of step {step}" if match else "no checkpoint"
        raise NotFoundError(
            f"{store.url} has {which} of {name}", hint=f"trainctl checkpoint list {store.url}"
        )
    return at(store, there[-1].key)


def _from(here: Here, what: str) -> str:
    """The option that names a store, as it would have to be typed for this word."""
    match = _IN_STORE.fullmatch(what)
    if match is None or not os.path.isdir(os.path.join(here.cwd, os.path.expanduser(match[1]))):
        return "--from STORE"
    return f"trainctl checkpoint pull {shlex.quote(match[2])} --from {shlex.quote(match[1])}"


def place(here: Here, found: Found, to: str | None) -> str:
    """Where it is put: under its own name here, or in a folder that is there, or just so."""
    path = os.path.normpath(os.path.join(here.cwd, os.path.expanduser(to or ".")))
    into = os.path.join(path, found.name)
    if to is None or to.endswith("/"):
        return into
    may_be_folder = found.manifest is None or found.manifest.is_dir
    is_itself = may_be_folder and os.path.basename(path) == found.name  # fetched before
    return into if os.path.isdir(path) and not is_itself else path


def pull(here: Here, found: Found, path: str, progress: Progress) -> Pulled:
    """Fetch it, whole or not at all, and file its manifest. Raises RefusedError, OSError.

    What is not of ours is checked here, by its structure and the format's own checksums.
    """
    with stores.told():
        if found.manifest is not None:
            here_now = shelf.pull(found.store, found.key, path, progress=progress)
            manifests.write(here.home.manifests, here_now)
            return Pulled(path, here_now)
        foreign.fetch(found.store, found.key, path, progress)
    from trainctl.checkpoints import verify

    seen = verify.verify(path, here.home.manifests)
    return Pulled(path, seen.manifest, tuple(finding.what for finding in seen.findings))
