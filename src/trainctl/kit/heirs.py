"""Who went on from a checkpoint, by file names: found at once, however many runs there are.

`heirs/<key>/<run>.<attempt>` is an empty file. The key is the checkpoint's, by its path, and the
id of its manifest, so that it is also found once it was moved, or came from a store. A name is a
hint: the attempt's own launch-N.json is the truth.
"""

from __future__ import annotations

import os
from typing import List, Set, Tuple

from trainctl.kit import candidates, manifest
from trainctl.kit.names import Home, RunFolder


def note(run: RunFolder, attempt: int, path: str) -> None:
    """File this attempt under the checkpoint that it goes on from."""
    home = candidates.home_of(run)
    for key in keys(home, path):
        folder = os.path.join(home.heirs, key)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.path.join(folder, f"{run.name}.{attempt}"), "wb"):
            pass


def forget(run: RunFolder, attempt: int, path: str) -> None:
    """Gone already is success."""
    home = candidates.home_of(run)
    for key in keys(home, path):
        try:
            os.unlink(os.path.join(home.heirs, key, f"{run.name}.{attempt}"))
            os.rmdir(os.path.join(home.heirs, key))
        except OSError:
            continue


def found(home: Home, some: List[str]) -> List[Tuple[str, int]]:
    """The runs and attempts that are filed under any of these keys, in order."""
    seen: Set[Tuple[str, int]] = set()
    for key in some:
        try:
            names = os.listdir(os.path.join(home.heirs, key))
        except OSError:
            continue
        for name in names:
            run, _, attempt = name.rpartition(".")
            if attempt.isdigit():
                seen.add((run, int(attempt)))
    return sorted(seen)


def keys(home: Home, path: str) -> List[str]:
    filed = manifest.read(home.manifests, path)
    return [manifest.key_of(path)] + ([filed.id] if filed is not None else [])
