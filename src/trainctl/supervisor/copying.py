"""Copies of what a script overwrites in place: the last two verified contents of each path."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from typing import Callable, Dict, List, NamedTuple, Set

from trainctl.kit import checkpoints, files, hashing, manifest, removing
from trainctl.kit.manifest import ChangedError, Manifest, Pace
from trainctl.kit.names import Home, RunFolder
from trainctl.supervisor.ledger import Ledger, Version

COPIES = 2
_FICLONE = 0x40049409  # ioctl_ficlonerange(2)
_CHUNK = 1 << 20
_STAGED = ".trainctl-copying"

Clone = Callable[[int, int], bool]  # from, to; whether the new file shares the old one's blocks


class Kept(NamedTuple):
    """A copy: where, of what path, how large. number: the higher, the newer."""

    copy: str
    path: str
    number: int
    size: int


def surplus(kept: List[Kept], limit: int) -> List[Kept]:
    """Which copies must go: those beyond the last two of a path, then what exceeds the limit.

    The newest copy of a path never goes: it may be all that can be restored.
    """
    by_path: Dict[str, List[Kept]] = {}
    for one in sorted(kept, key=lambda one: one.number, reverse=True):
        by_path.setdefault(one.path, []).append(one)
    gone = [one for copies in by_path.values() for one in copies[COPIES:]]
    spare = [one for copies in by_path.values() for one in copies[1:COPIES]]
    total = sum(one.size for one in kept) - sum(one.size for one in gone)
    for one in sorted(spare, key=lambda one: one.number):
        if total > limit:
            gone.append(one)
            total -= one.size
    return gone


class Copier:
    """Makes and removes the copies of one run, within a limit of bytes."""

    def __init__(self, run: RunFolder, home: Home, ledger: Ledger, pace: Pace) -> None:
        self._run = run
        self._manifests = home.manifests
        self._ledger = ledger
        self._pace = pace
        self._told: Set[str] = set()  # paths whose copies do not fit, and were said not to
        self._lock = threading.Lock()

    def keep(self, version: Version, made: Manifest, limit: int, spare_bytes: float) -> None:
        """Copy what its manifest tells of, unless it changed meanwhile or there is no room.

        limit: bytes of all copies of the run. spare_bytes: what must stay free on the disk.
        What keeps it from being made is said once for each path. Raises StoppedError; OSError
        where not even that can be written.
        """
        version.declined = True  # until it is kept: what fails once is not tried for ever
        with self._lock:
            try:
                self._keep(version, made, limit, spare_bytes)
            except OSError as error:
                self._say(version, f"{error.filename or version.path}: {error.strerror or error}")

    def _keep(self, version: Version, made: Manifest, limit: int, spare_bytes: float) -> None:
        why = self._no_room(version.path, made.size, limit, spare_bytes)
        if why:
            self._say(version, why)
            return
        step = made.about.step if made.about.step is not None else version.number
        folder = os.path.join(self._run.kept, f"{step}-{made.id[:12]}")
        target = os.path.join(folder, os.path.basename(made.path))
        try:
            self._make(made, folder, target)
        except (ChangedError, FileNotFoundError):
            self._ledger.let_go(version, self._manifests)
            return
        manifest.write(self._manifests, made._replace(path=target))
        told = {"id": made.id, "copy": target, "metrics": made.about.metrics}
        self._ledger.write("kept", {**version.named(), **told})
        if version.copy is None:  # overwritten, and forgotten, while we copied
            self._release(target)
            return
        for one in surplus(self.all(), limit):
            self._release(one.copy)

    def all(self) -> List[Kept]:
        return [
            Kept(one.copy, one.path, one.number, one.found.size)
            for one in self._ledger.all()
            if one.copy is not None
        ]

    def release(self, copy: str) -> None:
        """Remove a copy: its manifest, its data, and then it is said."""
        with self._lock:
            self._release(copy)

    def _release(self, copy: str) -> None:
        found = checkpoints.look(copy)
        if found is not None:
            removing.remove(self._manifests, found)
        else:
            manifest.forget(self._manifests, copy)
        removing.clear(os.path.dirname(copy))
        self._ledger.write("released", {"copy": copy})

    def _no_room(self, path: str, size: int, limit: int, spare_bytes: float) -> str:
        """What keeps a copy from being made; empty where nothing does."""
        newest = {one.path: one.size for one in self.all()}
        if sum({**newest, path: size}.values()) > limit:
            return f"{size} bytes do not fit into kept_limit, {limit} bytes"
        disk = os.statvfs(self._run.path)
        if disk.f_bavail * disk.f_frsize - size < spare_bytes:
            return f"a copy of {size} bytes would leave less than {spare_bytes:.0f} bytes free"
        return ""

    def _say(self, version: Version, why: str) -> None:
        if version.path not in self._told:
            self._told.add(version.path)
            self._ledger.write("not_kept", {"path": version.path, "why": why})

    def _make(self, made: Manifest, folder: str, target: str) -> None:
        """Beside, whole and on the disk, and then by its name."""
        there = made._replace(path=target)
        if os.path.isdir(folder):
            if not manifest.check(there, target, self._pace):
                return  # an agent that was killed had come so far
            removing.clear(folder)
        staged = os.path.join(self._run.kept, _STAGED)
        removing.clear(staged)
        try:
            copy_all(made, os.path.join(staged, os.path.basename(target)), self._pace)
            for parent, _, _ in os.walk(staged):
                files.sync_folder(parent)
            os.rename(staged, folder)
        finally:
            removing.clear(staged)
        files.sync_folder(self._run.kept)


def copy_all(made: Manifest, target: str, pace: Pace) -> None:
    """Every file of a checkpoint; what its manifest does not tell of stays behind."""
    for record in made.files:
        source = os.path.join(made.path, record.path) if record.path else made.path
        copy = os.path.join(target, record.path) if record.path else target
        os.makedirs(os.path.dirname(copy), mode=0o700, exist_ok=True)
        copy_file(source, copy, record, pace)


def clone(source: int, target: int) -> bool:
    """Share the blocks of the file, where the file system can do that."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def copy_file(
    source: str, target: str, record: hashing.FileRecord, pace: Pace, share: Clone = clone
) -> None:
    """Copy a file whose record is known, to the disk. Raises ChangedError unless it fits."""
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:
        if share(old.fileno(), new.fileno()):
            seen = os.fstat(new.fileno())
            digest = hashing.hash_file(target, record.path, seen, pace).sha256
        else:
            digest = _copied(old.fileno(), new.fileno(), pace)
        if digest != record.sha256:
            raise ChangedError(f"{source} is not any more what was hashed")
        os.utime(new.fileno(), ns=(record.mtime_ns, record.mtime_ns))
        files.sync(new.fileno())


def _copied(source: int, target: int, pace: Pace) -> str:
    whole = hashlib.sha256()
    chunk = os.read(source, _CHUNK)
    while chunk:
        whole.update(chunk)
        files.write_all(target, chunk)
        pace(len(chunk))
        chunk = os.read(source, _CHUNK)
    return whole.hexdigest()
