"""An append-only log of JSON records, each with a checksum: one writer, any number of readers.

A line is `{"crc":"0a1b2c3d",REST` where the CRC-32 covers REST, so that any flipped bit shows,
and the file is still JSON Lines for every other tool.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, cast

from trainctl.kit import files

_HEAD = b'{"crc":"'
_PREFIX = len(_HEAD) + 8 + 2  # {"crc":"0a1b2c3d",


class Log(NamedTuple):
    records: List[Dict[str, Any]]
    corrupt: List[int]  # numbers of the lines whose checksum fails, from 1


def encode(record: Mapping[str, Any]) -> bytes:
    rest = json.dumps(record, separators=(",", ":")).encode()[1:]
    return b'%s%08x",%s\n' % (_HEAD, zlib.crc32(rest), rest)


def decode(line: bytes) -> Optional[Dict[str, Any]]:
    """The record of one line without its newline, or None where a bit is wrong."""
    rest = line[_PREFIX:]
    if line[:_PREFIX] != b'%s%08x",' % (_HEAD, zlib.crc32(rest)):
        return None
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    record = cast("Dict[str, Any]", value)
    record.pop("crc")
    return record


def append(
    path: str, event: str, fields: Optional[Mapping[str, Any]] = None, *, durable: bool = True
) -> Dict[str, Any]:
    """Add one record; once this returns it outlives `kill -9`, and a power cut where `durable`.

    A torn tail that an earlier crash left is cut first. Raises OSError, with the log as it was,
    when the disk is full. Two who append at once come one after the other.
    """
    record: Dict[str, Any] = {"at": round(time.time(), 3), "event": event}
    record.update(fields or {})
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = _mend_tail(descriptor)
        if end == 0 and durable:
            files.sync_folder(os.path.dirname(path))
        try:
            files.write_all(descriptor, encode(record))
            if durable:
                files.sync(descriptor)
        except OSError as error:
            error.filename = path
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)
    return record


def _mend_tail(descriptor: int) -> int:
    """Where the next record goes, once what a crash left of the last one is cut.

    A whole record whose newline alone is wrong was acknowledged: it gets its newline back.
    """
    size = at = os.lseek(descriptor, 0, os.SEEK_END)
    tail = b""
    while at > 0 and b"\n" not in tail:
        start = max(0, at - 4096)
        tail = os.pread(descriptor, at - start, start) + tail
        at = start
    torn = tail[tail.rfind(b"\n") + 1 :]
    if torn and decode(torn[:-1]) is not None:
        os.ftruncate(descriptor, size - 1)
        files.write_all(descriptor, b"\n")
        return size
    if torn:
        os.ftruncate(descriptor, size - len(torn))
    return size - len(torn)


def read(path: str) -> Log:
    """All whole records, and which lines are corrupt. A torn last line was never acknowledged."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return Log([], [])
    records: List[Dict[str, Any]] = []
    corrupt: List[int] = []
    for number, line in enumerate(lines[:-1], 1):
        record = decode(line)
        if record is None:
            corrupt.append(number)
        else:
            records.append(record)
    last = decode(lines[-1][:-1])
    if last is not None:  # whole but for its newline, which is another byte now
        records.append(last)
        corrupt.append(len(lines))
    return Log(records, corrupt)
