"""Checksums as S3's headers have them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from typing import Dict, Optional

HEADER = "x-amz-checksum-crc32"
ALGORITHM = "CRC32"


def encoded(crc32: int) -> str:
    return base64.b64encode(struct.pack(">I", crc32)).decode()


def decoded(text: str) -> Optional[int]:
    """The CRC-32 of the whole content; None where there is none, as with those of parts."""
    try:
        return int(struct.unpack(">I", base64.b64decode(text, validate=True))[0])
    except (binascii.Error, struct.error, ValueError):
        return None


def headers(crc32: int) -> Dict[str, str]:
    """What tells a service which content it has to have received."""
    return {"x-amz-sdk-checksum-algorithm": ALGORITHM, HEADER: encoded(crc32)}


def headers_of(data: bytes) -> Dict[str, str]:
    """The same for a small body, with its MD5 for services that know no other checksum."""
    try:
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: S324
    except ValueError:  # this Python's OpenSSL refuses MD5 altogether
        return headers(zlib.crc32(data))
    return {**headers(zlib.crc32(data)), "content-md5": md5}
