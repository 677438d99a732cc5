"""The checkpoints in a store: by keys first, and only what is shown is asked for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from trainctl.checkpoints.looking import UNVERIFIED, VERIFIED, Facts, Look
from trainctl.control import stores
from trainctl.control.catalogue.rows import STORE, Listing, Shown, Wanted, ranked
from trainctl.control.checkpoints import Ground
from trainctl.control.wiring import connect
from trainctl.kit.checkpoints import is_checkpoint_folder, is_checkpoint_name, step_of
from trainctl.kit.stores import layout
from trainctl.kit.stores.protocol import AbsentError, CorruptError, Item, Store
from trainctl.kit.stores.together import together

if TYPE_CHECKING:
    from trainctl.control.wiring import Here

_THREADS = 8
_ITEMS = 200_000  # objects that a foreign prefix is searched through


def of_url(where: Ground, url: str, wanted: Wanted, progress: Callable[[int], None]) -> Listing:
    """What lies under this URL: pushed by trainctl, or by anything else. Raises ProviderError."""
    here = connect(where.cwd, where.environ)
    with stores.told():
        root, run = _split(url)
        store = stores.open_url(here, root)
        keys = _keys(store, run)
        if keys:
            return _ours(store, keys, wanted, progress)
        return _foreign(here, url, wanted)


def keys_of(where: Ground, url: str) -> list[str]:
    """The URLs of the checkpoints of ours under this one; none where it is anything else."""
    with stores.told():
        root, run = _split(url)
        store = stores.open_url(connect(where.cwd, where.environ), root)
        return [f"{root}/{key}" for key in _keys(store, run)]


def _split(url: str) -> tuple[str, str]:
    """The store's root, and what of `runs/` is meant: a run, one key, or "" for all."""
    root, found, rest = url.rstrip("/").rpartition("/runs/")
    if found:
        return root, rest
    return url.rstrip("/").removesuffix("/runs"), ""


def _keys(store: Store, run: str) -> list[str]:
    """The keys of checkpoints, the newest of each run first."""
    if layout.is_key(f"runs/{run}"):
        return [f"runs/{run}"]
    prefixes = [f"runs/{run}/"] if run else [i.key for i in store.list("runs/", folders=True)]
    keys = [i.key[:-1] for prefix in prefixes for i in store.list(prefix, folders=True)]
    return sorted(filter(layout.is_key, keys), key=_order, reverse=True)


def _order(key: str) -> tuple[str, int, int]:
    run, attempt, step = layout.parts(key)
    return run, attempt, -1 if step is None else step


def _ours(
    store: Store, keys: list[str], wanted: Wanted, progress: Callable[[int], None]
) -> Listing:
    by_keys = wanted.best is None and wanted.sort in ("step", "name")
    asked = keys[: wanted.limit] if by_keys else keys
    found: dict[str, Shown] = {}

    def ask(key: str) -> None:
        found[key] = _shelved(store, key)
        progress(1)

    together(asked, ask, _THREADS)
    shown = _sorted([found[key] for key in asked], wanted)
    return Listing(ranked(shown, wanted), len(keys), [])


def _sorted(shown: list[Shown], wanted: Wanted) -> list[Shown]:
    if wanted.sort == "size":
        shown.sort(key=lambda one: -one.look.size)
    elif wanted.sort == "name":
        shown.sort(key=lambda one: one.name)
    return shown


def _shelved(store: Store, key: str) -> Shown:
    _, attempt, step = layout.parts(key)
    url, name = f"{store.url.rstrip('/')}/{key}", key.removeprefix("runs/")
    try:
        manifest = layout.read_manifest(store, key)
    except AbsentError:
        return _unknown(url, name, step, "its manifest is not there: a push goes on, or was cut")
    except CorruptError as error:
        return _unknown(url, name, step, str(error))
    pinned = store.head(f"{key}/{layout.PINNED}") is not None
    metrics = dict(manifest.about.metrics)
    facts = Facts("", "", step, None, metrics.get("loss"), metrics, None, "")
    files = len(manifest.files)
    look = Look(url, facts, manifest.size, manifest.made, files, VERIFIED, pinned)
    return Shown(name, STORE, look, attempt or None)


def _unknown(url: str, name: str, step: int | None, why: str) -> Shown:
    facts = Facts("", "", step, None, None, {}, None, why)
    return Shown(name, STORE, Look(url, facts, 0, 0.0, 0, UNVERIFIED, pinned=False))


def _foreign(here: Here, url: str, wanted: Wanted) -> Listing:
    """What somebody else has put there, by names and sizes alone."""
    store = stores.open_url(here, url)
    items = list(islice(store.list(""), _ITEMS + 1))
    if not items:
        above, key = stores.locate(here, url)
        item = above.head(key)
        if item is None:
            return Listing([], 0, [])
        items = [item._replace(key="")]
    notes = [f"only the first {_ITEMS} objects were looked at"] if len(items) > _ITEMS else []
    found = [_named(url, name, there) for name, there in grouped(items).items()]
    found.sort(key=lambda one: -(one.look.facts.step or 0))
    if wanted.sort == "age":
        found.sort(key=lambda one: -one.look.mtime)
    return Listing(ranked(_sorted(found, wanted), wanted), len(found), notes)


def grouped(items: list[Item]) -> dict[str, list[Item]]:
    """Objects by the checkpoint that they are part of; what is part of none is left out."""
    inside: dict[str, set[str]] = {}
    for item in items:
        words = item.key.split("/")
        for depth, word in enumerate(words):
            inside.setdefault("/".join(words[:depth]), set()).add(word)
    marked = {folder for folder, names in inside.items() if is_checkpoint_folder(names)}
    found: dict[str, list[Item]] = {}
    for item in items:
        name = _checkpoint_of(item.key, marked)
        if name is not None:
            found.setdefault(name, []).append(item)
    return found


def _checkpoint_of(key: str, marked: set[str]) -> str | None:
    words = key.split("/")
    for depth in range(len(words)):
        folder = "/".join(words[:depth])
        if folder in marked or (depth and is_checkpoint_name(words[depth - 1], is_dir=True)):
            return folder
    return key if key == "" or is_checkpoint_name(words[-1], is_dir=False) else None


def _named(url: str, name: str, items: list[Item]) -> Shown:
    where = f"{url.rstrip('/')}/{name}".rstrip("/")
    last = where.rpartition("/")[2]
    facts = Facts("", "", step_of(last), None, None, {}, None, "")
    size, newest = sum(item.size for item in items), max(item.modified for item in items)
    look = Look(where, facts, size, newest, len(items), UNVERIFIED, pinned=False)
    return Shown(name or last, STORE, look)
