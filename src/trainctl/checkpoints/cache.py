"""What listings have found out, for the next one. With any doubt it is as if it were not there.

A file per folder, named by device and inode, of one checksummed line. What it says of a folder or
a checkpoint holds while that has the times and sizes it had; what changed within the last two
seconds is not kept, since a change in the same tick of the file system's clock would not show.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from trainctl.checkpoints.catalogue import Folder, Mark
from trainctl.kit import events

SCHEMA = 1
FRESH_NS = 2_000_000_000
FILE_BYTES = 16_000_000  # of one file; a longer one is neither written nor read
FILES = 2_000
BYTES = 100_000_000  # of all; beyond either, the oldest half goes

Row = list[Any]  # what was found out of one checkpoint, as JSON has it


class Cache:
    """now: seconds since the epoch. A folder that cannot be written keeps nothing, silently."""

    def __init__(self, path: str, now: float) -> None:
        self._path = path
        self._now_ns = int(now * 1e9)

    def is_fresh(self, changed_ns: int) -> bool:
        """Whether it changed too recently for its times to prove anything."""
        return self._now_ns - changed_ns < FRESH_NS

    def folders(self, root: Mark) -> dict[str, Folder]:
        """The folders of the tree whose root was like this, as they were; by their paths."""
        found: dict[str, Folder] = {}
        for record in self._read(root, "names"):
            path, mark, names, kinds, below, is_one = record
            found[path] = Folder(path, tuple(mark), _split(names), kinds, _split(below), is_one)
        return found

    def keep_folders(self, root: Mark, folders: Iterable[Folder]) -> None:
        records: list[Row] = [
            [f.path, f.mark, "/".join(f.names), f.kinds, "/".join(f.below), f.is_one]
            for f in folders
            if not self.is_fresh(max(f.mark[2:]))
        ]
        self._write(root, "names", records)

    def rows(self, folder: Mark) -> dict[str, Row]:
        """What was found out of the checkpoints in this folder, by their names."""
        return {record[0]: record[1:] for record in self._read(folder, "rows")}

    def keep_rows(self, folder: Mark, rows: Mapping[str, Row]) -> None:
        self._write(folder, "rows", [[name, *row] for name, row in rows.items()])

    def _file(self, mark: Mark, what: str) -> str:
        return os.path.join(self._path, f"{mark[0]:x}-{mark[1]:x}.{what}")

    def _read(self, mark: Mark, what: str) -> list[Row]:
        try:
            with open(self._file(mark, what), "rb") as file:
                data = file.read(FILE_BYTES + 1)
        except OSError:
            return []
        value = events.decode(data[:-1]) if len(data) <= FILE_BYTES else None
        return value["records"] if value and value.get("schema") == SCHEMA else []

    def _write(self, mark: Mark, what: str, records: list[Row]) -> None:
        data = events.encode({"schema": SCHEMA, "records": records})
        if len(data) > FILE_BYTES:
            return
        path = self._file(mark, what)
        beside = f"{path}.{os.getpid()}"
        try:
            _make_folder(self._path)
            with open(beside, "xb") as file:  # not durable: what is torn has no checksum
                file.write(data)
            os.replace(beside, path)
            _bound(self._path)
        except OSError:
            return


def _split(joined: str) -> list[str]:
    return joined.split("/") if joined else []


def _make_folder(path: str) -> None:
    for folder in (os.path.dirname(path), path):  # the state folder is private, however it is made
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue


def _bound(path: str) -> None:
    names = os.listdir(path)
    if len(names) <= FILES // 2 and len(names) * FILE_BYTES <= BYTES:
        return
    seen = sorted(((entry.stat(), entry.path) for entry in os.scandir(path)), key=_age)
    if len(seen) > FILES or sum(one.st_size for one, _ in seen) > BYTES:
        for _, old in seen[: len(seen) // 2 + 1]:
            os.unlink(old)


def _age(seen: tuple[os.stat_result, str]) -> int:
    return seen[0].st_mtime_ns
