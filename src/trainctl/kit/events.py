"""An append-only log of JSON records, each with a checksum: one writer, any number of readers.

A line is `{"crc":"0a1b2c3d",REST` where the CRC-32 covers REST, so that any flipped bit shows,
and the file is still JSON Lines for every other tool.
"""

from __future__ import annotations

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
    when the disk is full. One writer at a time: the caller holds the run's or the agent's lock.
    """
    record: Dict[str, Any] = {"at": round(time.time(), 3), "event": event}
    record.update(fields or {})
    fresh = not os.path.exists(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        end = _cut_torn_tail(descriptor)
        try:
            files.write_all(descriptor, encode(record))
            if durable:
                files.sync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)
    if fresh and durable:
        files.sync_folder(os.path.dirname(path))
    return record


def _cut_torn_tail(descriptor: int) -> int:
    end = os.lseek(descriptor, 0, os.SEEK_END)
    whole = end
    while whole > 0:
        start = max(0, whole - 4096)
        block = os.pread(descriptor, whole - start, start)
        if block.endswith(b"\n"):
            break
        newline = block.rfind(b"\n")
        whole = start + newline + 1
    if whole != end:
        os.ftruncate(descriptor, whole)
    return whole


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
    return Log(records, corrupt)
