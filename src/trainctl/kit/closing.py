"""Whether one file's structure closes: its end, told by its beginning or its directory."""

from __future__ import annotations

import json
import os
import stat
import struct
from typing import Optional

UNPROVED = "its structure tells nothing of its end"
HEADER_BYTES = 16_000_000  # of a safetensors file; a longer one would cost too much memory to read

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # its storages follow as raw bytes
_PROTOCOLS = (b"\x80", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLES = (".pkl", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin")
_MANY = 0xFFFFFFFF  # the zip's 64-bit end record knows
_ZIP64_TAIL = 56 + 20
_CUT = "it is cut off"


def flaw(path: str, *, part: bool = False) -> Optional[str]:
    """Why this file is not whole; None where its structure proves it; else UNPROVED.

    part: it is one of a folder's, where what is no file is nobody's.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return UNPROVED if part else "it is no file"
        if not seen.st_size:
            return "it is empty"
        return _flaw(path, descriptor, seen.st_size)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)


def _flaw(path: str, descriptor: int, size: int) -> Optional[str]:
    head = os.pread(descriptor, 64, 0)
    if path.endswith(".safetensors"):
        return _safetensors(descriptor, head, size)
    if _begins_as(head, _ZIP):
        return None if _zip_closes(descriptor, size) else f"{_CUT}: its zip directory is missing"
    if _begins_as(head, _HDF5):
        return _hdf5(head, size)
    if path.endswith(_PICKLES) and head[:2] in _PROTOCOLS and not _begins_as(head, _TORCH_LEGACY):
        ends = os.pread(descriptor, 1, size - 1) == b"."
        return UNPROVED if ends else f"{_CUT}: no pickle ends so"
    if path.endswith(".json"):
        return _json(head, os.pread(descriptor, 64, max(0, size - 64)))
    return UNPROVED


def _begins_as(head: bytes, magic: bytes) -> bool:
    """Whether it is of this kind, or was cut before that could show."""
    return head[: len(magic)] == magic[: len(head)]


def _json(head: bytes, tail: bytes) -> Optional[str]:
    end = {b"{": b"}", b"[": b"]"}.get(head.lstrip()[:1])
    return UNPROVED if end in {None, tail.rstrip()[-1:]} else f"{_CUT}: no JSON ends so"


def _safetensors(descriptor: int, head: bytes, size: int) -> Optional[str]:
    """The header tells where the last tensor ends (format: huggingface/safetensors)."""
    if len(head) < 8:
        return _CUT
    (length,) = struct.unpack("<Q", head[:8])
    if length > size - 8:
        return f"{_CUT} in its header"
    if length > HEADER_BYTES:
        return UNPROVED
    try:
        header = json.loads(os.pread(descriptor, length, 8))
        tensors = [value for name, value in header.items() if name != "__metadata__"]
        end = 8 + length + max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return "its header is damaged"
    return None if size == end else f"it has {size} bytes where its header tells of {end}"


def _zip_closes(descriptor: int, size: int) -> bool:
    """The end record stands where the file ends, right after the directory it tells of.

    Source: PKWARE APPNOTE 6.3.10, sections 4.3.14 to 4.3.16.
    """
    tail = os.pread(descriptor, min(size, 65_557), max(0, size - 65_557))
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    directory, start, comment = struct.unpack_from("<IIH", tail, at + 12)
    if at + 22 + comment != len(tail):
        return False
    gap = size - len(tail) + at - directory - start
    return _MANY in (directory, start) or gap in (0, _ZIP64_TAIL)


def _hdf5(head: bytes, size: int) -> Optional[str]:
    """The superblock tells where the file ends (HDF5 file format specification, section II.A)."""
    if len(head) < 64:  # less than the superblock and one object
        return _CUT
    at = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8])
    if at is None:
        return UNPROVED
    (end,) = struct.unpack_from("<Q", head, at)
    return UNPROVED if end <= size else f"{_CUT}: it has {size} of {end} bytes"
