"""What became of a run's checkpoints, as its attempts' checkpoints.jsonl tell.

All of it is read once, when an agent begins; from then on what is written is remembered. What is
neither there any more nor kept elsewhere is forgotten, so that a long run does not fill memory.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from trainctl.kit import checkpoints, events, manifest
from trainctl.kit.checkpoints import Found
from trainctl.kit.names import RunFolder

Key = Tuple[str, float, int]  # path, time, size: one content at one place


class Version:
    """One content seen at a path. id: of its manifest, once it is hashed.

    is_told: it was said that it is verified; where the next save overwrites it, a copy was first.
    copy: the path of its kept copy. key: where it lies in the store. number: how many were
    seen before it. is_over: it was overwritten or removed. due: not to be hashed before, by
    the monotonic clock. failures: how often it could not be read. declined: no copy is made.
    """

    __slots__ = (
        "attempt", "copy", "declined", "due", "failures", "found", "id", "is_over", "is_told",
        "key", "metrics", "number",
    )  # fmt: skip

    def __init__(self, found: Found, attempt: int, number: int) -> None:
        self.found = found
        self.attempt = attempt
        self.number = number
        self.id: Optional[str] = None
        self.copy: Optional[str] = None
        self.key: Optional[str] = None
        self.metrics: Dict[str, float] = {}
        self.is_over = False
        self.is_told = False
        self.due = 0.0
        self.failures = 0
        self.declined = False

    @property
    def path(self) -> str:
        return self.found.path

    def named(self) -> Dict[str, Any]:
        """How an event says which content it is about."""
        return {"path": self.path, "mtime": self.found.mtime, "size": self.found.size}

    def is_there(self) -> bool:
        """Whether its path still holds this very content, as far as size and time tell."""
        return not self.is_over and checkpoints.look(self.path) == self.found


class Ledger:
    """Written by several threads of one agent; each change is on the disk before it counts.

    attempt: the one whose log is written. parents: by attempt, the id of the manifest of what it
    went on from. overwritten: the paths that have held more than one content. pruned: what was
    said to be removed, by path or key, and content; whether it is gone is another matter.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._versions: Dict[Key, Version] = {}
        self._at: Dict[str, Version] = {}  # the newest of each path
        self._noted_so_far = 0
        self.overwritten: Set[str] = set()
        self.pruned: Set[Tuple[str, Optional[str]]] = set()
        self.parents: Dict[int, Optional[str]] = {}
        self.attempt = 0
        self._acts: Dict[str, Callable[[Dict[str, Any]], None]] = {
            "checkpoint": self._noted,
            "verified": self._told_verified,
            "kept": self._told_kept,
            "released": self._told_released,
            "pushed": self._told_pushed,
            "gone": self._told_gone,
            "pruned": self._told_pruned,
            "continues": self._told_continues,
        }
        for number in run.attempts():
            self.attempt = number
            for record in events.read(run.attempt(number).checkpoints).records:
                self._apply(record)

    def all(self) -> List[Version]:
        """Oldest first."""
        with self._lock:
            return list(self._versions.values())

    def knows(self, found: Found) -> bool:
        return _key(found) in self._versions

    def write(self, event: str, fields: Dict[str, Any], *, durable: bool = True) -> None:
        """Append an event and remember it. Raises OSError, with nothing changed."""
        path = self._run.attempt(self.attempt).checkpoints
        with self._lock:
            self._apply(events.append(path, event, fields, durable=durable))

    def leave(self, version: Version) -> None:
        """Forget it, unless a copy of it is kept."""
        with self._lock:
            self._leave(version)

    def let_go(self, version: Version, manifests: str) -> None:
        """Its content is not at its path any more; where nothing is, no manifest is either.

        Said where it was verified, unless it was said that it is pruned. Raises OSError.
        """
        if os.path.lexists(version.path):
            self.leave(version)
            return
        manifest.forget(manifests, version.path)
        if version.id is None or (version.path, version.id) in self.pruned:
            self.leave(version)
        else:
            self.write("gone", {"path": version.path, "id": version.id})

    def is_overwritten(self, version: Version) -> bool:
        """Whether the next save replaces it: it happened before, or its name tells no step."""
        return version.path in self.overwritten or version.found.step is None

    def _leave(self, version: Version) -> None:
        version.is_over = True
        if self._at.get(version.path) is version:
            del self._at[version.path]
        if version.copy is None:
            self._versions.pop(_key(version.found), None)

    def _apply(self, record: Dict[str, Any]) -> None:
        act = self._acts.get(str(record["event"]))
        if act is not None:
            act(record)

    def _noted(self, record: Dict[str, Any]) -> None:
        found = Found(**{name: record[name] for name in Found._fields})
        before = self._at.get(found.path)
        if before is not None:
            self.overwritten.add(found.path)
            self._leave(before)
        version = Version(found, self.attempt, self._noted_so_far)
        self._noted_so_far += 1
        self._versions[_key(found)] = self._at[found.path] = version

    def _told_verified(self, record: Dict[str, Any]) -> None:
        version = self._versions.get(_named(record))
        if version is not None:
            self._hashed(version, record)
            version.is_told = True

    def _told_kept(self, record: Dict[str, Any]) -> None:
        version = self._versions.get(_named(record))
        if version is not None:
            self._hashed(version, record)
            version.copy = str(record["copy"])

    def _hashed(self, version: Version, record: Dict[str, Any]) -> None:
        if version.id is None:
            version.id = str(record["id"])
            version.metrics = dict(record.get("metrics") or {})

    def _told_released(self, record: Dict[str, Any]) -> None:
        for version in [one for one in self._versions.values() if one.copy == record["copy"]]:
            version.copy = None
            if version.is_over:
                self._versions.pop(_key(version.found), None)

    def _told_pushed(self, record: Dict[str, Any]) -> None:
        for version in self._of(record):
            version.key = str(record["key"])

    def _told_gone(self, record: Dict[str, Any]) -> None:
        version = self._at.get(str(record["path"]))
        if version is not None and version.id == record.get("id"):
            self._leave(version)

    def _told_pruned(self, record: Dict[str, Any]) -> None:
        self.pruned.add((str(record.get("path") or record.get("key")), record.get("id")))

    def _told_continues(self, record: Dict[str, Any]) -> None:
        self.parents[self.attempt] = record.get("id")

    def _of(self, record: Dict[str, Any]) -> List[Version]:
        """The versions that an event is about: of this path and content."""
        path, content = record.get("path"), record.get("id")
        newest = self._at.get(str(path))
        if newest is not None and newest.id == content:
            return [newest]
        return [one for one in self._versions.values() if (one.path, one.id) == (path, content)]


def _key(found: Found) -> Key:
    return (found.path, found.mtime, found.size)


def _named(record: Dict[str, Any]) -> Key:
    return (str(record["path"]), float(record["mtime"]), int(record["size"]))
