"""The checkpoints in a folder, which need not be one that trainctl has ever seen."""

from __future__ import annotations

import os
from collections.abc import Callable

from trainctl.checkpoints import catalogue, ordering
from trainctl.checkpoints.cache import Cache
from trainctl.checkpoints.catalogue import Folder, Tree
from trainctl.checkpoints.looking import Looker
from trainctl.control.catalogue.rows import HERE, Listing, Shown, Wanted, looks, ranked
from trainctl.control.checkpoints import Ground
from trainctl.kit.checkpoints import DEPTH, is_checkpoint_name


def of_path(
    where: Ground, path: str, wanted: Wanted, now: float, progress: Callable[[int], None]
) -> Listing:
    """The checkpoints in this folder, or the one that it is. Raises OSError where it is gone."""
    cache = Cache(where.home.catalogue, now)
    tree = _alone(path) or _tree(cache, path, recursive=wanted.recursive)
    entries = ordering.ordered(tree.folders, "step" if wanted.best else wanted.sort)
    places = ((entry.path, entry.folder.mark) for entry in entries)
    found = looks(Looker(where.home, cache, now), places, wanted.looks, progress)
    shown = [Shown(_name(look.path, path), HERE, look) for look in found]
    notes = [f"{e.filename}: {e.strerror}; it is left out" for e in tree.unread]
    return Listing(ranked(shown, wanted), tree.total, notes)


def _alone(path: str) -> Tree | None:
    """A path that is a checkpoint itself, by what it is or how it is called."""
    is_dir = os.path.isdir(path)
    folder, name = os.path.split(path)
    if is_dir and not is_checkpoint_name(name, is_dir=True):
        return None
    kind = catalogue.FOLDER if is_dir else catalogue.FILE
    alone = Folder(folder, catalogue.mark_of(folder), [name], kind, [], is_one=False)
    return Tree([alone], [])


def _tree(cache: Cache, root: str, *, recursive: bool) -> Tree:
    mark = catalogue.mark_of(root)
    known = cache.folders(mark)
    tree = catalogue.walk(root, depth=None if recursive else DEPTH, known=known)
    if any(known.get(folder.path) is not folder for folder in tree.folders):
        cache.keep_folders(mark, tree.folders)
    return tree


def _name(path: str, root: str) -> str:
    if path == root:
        return os.path.basename(path)
    return path[len(root) + 1 :] if path.startswith(root + "/") else os.path.basename(path)
