"""Remove one checkpoint so that a crash in between leaves nothing that looks like one.

The manifest goes first, then the data; a folder is renamed before it is emptied. Nothing is
followed through a link, and nothing outside the folder that the checkpoint lies in is touched.
"""

from __future__ import annotations

import os
import stat
from typing import Tuple

from trainctl.kit import checkpoints, files, manifest
from trainctl.kit.checkpoints import Found

PREFIX = ".trainctl-removing-"


class ChangedError(Exception):
    """It is not any more what was decided about: nothing was removed."""


def remove(manifests: str, found: Found) -> None:
    """Remove the checkpoint that was found so; already gone is success.

    manifests: the folder of manifests. Raises ChangedError where it is another by now, or a
    link, and OSError where it cannot be removed; what is left then is removed by `sweep`.
    """
    parent, name = _place(found.path)
    if not os.path.lexists(found.path):
        manifest.forget(manifests, found.path)
        return
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if stat.S_ISLNK(seen.st_mode) or not _is_still(found, os.path.join(parent, name)):
            raise ChangedError(found.path)
        manifest.forget(manifests, found.path)
        if not stat.S_ISDIR(seen.st_mode):
            os.unlink(name, dir_fd=descriptor)
        else:
            doomed = f"{PREFIX}{os.urandom(4).hex()}"
            os.rename(name, doomed, src_dir_fd=descriptor, dst_dir_fd=descriptor)
            files.sync_folder(parent)
            _empty(doomed, descriptor)
    except FileNotFoundError:  # somebody else was faster
        manifest.forget(manifests, found.path)
    finally:
        os.close(descriptor)


def sweep(folder: str) -> None:
    """Remove what a removal in this folder left that was killed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for name in os.listdir(descriptor):
            if name.startswith(PREFIX):
                _empty(name, descriptor)
    except OSError:  # on a disk that fails: again the next time
        pass
    finally:
        os.close(descriptor)


def clear(path: str) -> None:
    """Remove a file or a folder of our own with all in it; already gone is success."""
    try:
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _empty(os.path.basename(path), descriptor)
    except FileNotFoundError:
        pass
    finally:
        os.close(descriptor)


def _is_still(found: Found, path: str) -> bool:
    """Raises FileNotFoundError where another removal took it while it was looked at."""
    if checkpoints.look(path) == found._replace(path=path):
        return True
    os.lstat(path)
    return False


def _place(path: str) -> Tuple[str, str]:
    parent, name = os.path.split(os.path.abspath(path))
    return os.path.realpath(parent), name


def _empty(name: str, descriptor: int) -> None:
    """Remove a folder with all in it: links themselves, never what they lead to."""
    seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if not stat.S_ISDIR(seen.st_mode):
        os.unlink(name, dir_fd=descriptor)
        return
    for _, folders, names, inside in os.fwalk(name, topdown=False, dir_fd=descriptor):
        for one in names:
            os.unlink(one, dir_fd=inside)
        for one in folders:
            linked = stat.S_ISLNK(os.stat(one, dir_fd=inside, follow_symlinks=False).st_mode)
            (os.unlink if linked else os.rmdir)(one, dir_fd=inside)
    os.rmdir(name, dir_fd=descriptor)
