"""The manifest: size and SHA-256 of every file of a checkpoint, made once it is complete.

It stands in the state folder, by the checkpoint's real path, so that nothing of ours lies between
a script's own files: scripts look for "the newest file here" too. In a store it lies beside the
data, written last.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

from trainctl.kit import decoding, events, files
from trainctl.kit.checkpoints import step_of
from trainctl.kit.contents import key_of, stats
from trainctl.kit.hashing import ChangedError, Damage, FileRecord, Pace, check_file, hash_file

SCHEMA = 1
Each = Callable[..., Iterable[Any]]  # `map`, or that of a pool of threads


class About(NamedTuple):
    """Where a checkpoint comes from. parent: the id of the manifest that its attempt went on from.

    metrics: the last values known at its step, such as {"loss": 0.5}; they may be NaN.
    """

    run: Optional[str] = None
    attempt: Optional[int] = None
    step: Optional[int] = None
    metrics: Dict[str, float] = {}  # noqa: RUF012  # a NamedTuple's default; nobody changes it
    parent: Optional[str] = None


class Manifest(NamedTuple):
    """id: 32 hex digits over names, sizes, hashes: equal for equal content, wherever it lies."""

    id: str
    path: str
    is_dir: bool
    made: float
    files: List[FileRecord]
    about: About

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def make(
    path: str, about: Optional[About] = None, pace: Optional[Pace] = None, each: Each = map
) -> Manifest:
    """Read all of a checkpoint once, and say what it holds.

    each: how to go through its files; with a pool's map, pace is called from several threads, and
    a large file is hashed by two.
    Raises ChangedError when it was written to meanwhile, OSError when it cannot be read.
    """
    root = os.path.realpath(path)
    before = stats(root)

    def read(name: str) -> FileRecord:
        file = os.path.join(root, name) if name else root
        return hash_file(file, name, before[name], pace, aside=each is not map)

    records = list(each(read, before))
    if _marks(stats(root)) != _marks(before):
        raise ChangedError(f"{path} was written to while it was read")
    about = about or About()
    if about.step is None:
        about = about._replace(step=step_of(os.path.basename(root)))
    is_dir = "" not in before
    return Manifest(identity(records), root, is_dir, round(time.time(), 3), records, about)


def _marks(found: Mapping[str, os.stat_result]) -> Dict[str, Tuple[int, int, int]]:
    return {name: (s.st_size, s.st_mtime_ns, s.st_ino) for name, s in found.items()}


def identity(records: List[FileRecord]) -> str:
    lines = (f"{r.path}\0{r.size}\0{r.sha256}\n" for r in sorted(records))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def encode(manifest: Manifest) -> bytes:
    """One checksummed line of JSON, as event logs have them."""
    value = manifest._asdict()
    value["files"] = [record._asdict() for record in manifest.files]
    value["about"] = manifest.about._asdict()
    return events.encode({"schema": SCHEMA, **value})


def decode(data: bytes) -> Optional[Manifest]:
    """None for what is damaged, does not fit its own id, or is newer than we are."""
    value = events.decode(data.rstrip(b"\n"))
    if value is None:
        return None
    schema = value.pop("schema", 0)
    if type(schema) is not int or schema != SCHEMA or not decoding.fits(value):
        return None
    records = [FileRecord(**record) for record in value.pop("files")]
    made = Manifest(files=records, about=About(**value.pop("about")), **value)
    try:
        return made if made.id == identity(records) else None
    except UnicodeEncodeError:  # half a surrogate pair is no name
        return None


def write(folder: str, manifest: Manifest) -> None:
    """File it in this folder, durably; whatever stood there for the same path is replaced."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{key_of(manifest.path)}.json")
    files.write_atomic(path, encode(manifest))


def read(folder: str, path: str) -> Optional[Manifest]:
    """The manifest that is filed for the checkpoint at this path; None: no whole one."""
    try:
        with open(os.path.join(folder, f"{key_of(path)}.json"), "rb") as file:
            return decode(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None


def forget(folder: str, path: str) -> None:
    files.remove(os.path.join(folder, f"{key_of(path)}.json"))


def stands(manifest: Manifest, path: str) -> bool:
    """Whether what is there is, by sizes and times, still what was hashed. Reads no data."""
    try:
        now = stats(path)
    except OSError:
        return False
    was = {record.path: (record.size, record.mtime_ns) for record in manifest.files}
    return was == {name: (seen.st_size, seen.st_mtime_ns) for name, seen in now.items()}


def check(
    manifest: Manifest, path: str, pace: Optional[Pace] = None, each: Each = map
) -> List[Damage]:
    """Hash all of it anew; what differs from the manifest. Empty: every byte is as it was."""
    try:
        now = stats(path)
    except OSError as error:
        return [Damage("", f"cannot be read: {error.strerror or error}")]

    def compare(record: FileRecord) -> List[Damage]:
        if record.path not in now:
            return [Damage(record.path, "is missing")]
        where = os.path.join(path, record.path) if record.path else path
        size = now[record.path].st_size
        return check_file(record, where, size, pace, aside=each is not map)

    found = [damage for damages in each(compare, manifest.files) for damage in damages]
    known = {record.path for record in manifest.files}
    return found + [Damage(name, "was added since") for name in now if name not in known]
