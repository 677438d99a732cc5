"""Copies within a bucket: the bytes never come here."""

from __future__ import annotations

from typing import Mapping

from trainctl.kit.stores import checksums, multipart
from trainctl.kit.stores.listing import item_of
from trainctl.kit.stores.multipart import Part, Upload
from trainctl.kit.stores.protocol import UnsupportedError
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.signing import quoted_path
from trainctl.kit.stores.xml import text

_LARGEST = 5 << 30  # of one copy; S3's limit
_PIECE = 1 << 30


def copy(service: Service, source: str, key: str) -> bool:
    """Whether it could be done. Raises AbsentError where there is no source."""
    ask = Ask("HEAD", source, headers={"x-amz-checksum-mode": "ENABLED"})
    there = item_of(source, service.tell(ask).headers)
    headers = {"x-amz-copy-source": quoted_path(f"/{service.place.bucket}/{source}")}
    try:
        if there.size > _LARGEST:
            return there.crc32 is not None and _in_parts(
                service, headers, key, there.size, there.crc32
            )
        headers["x-amz-checksum-algorithm"] = checksums.ALGORITHM
        service.tell_xml(Ask("PUT", key, headers=headers), "CopyObjectResult")
    except UnsupportedError:
        return False
    return True


def _in_parts(
    service: Service, headers: Mapping[str, str], key: str, size: int, crc32: int
) -> bool:
    upload = multipart.begin(service, key)
    try:
        starts = range(0, size, _PIECE)
        parts = [_part(upload, headers, at, start, size) for at, start in enumerate(starts, 1)]
        upload.complete(parts, size, crc32)
    except BaseException:
        upload.abort()
        raise
    return True


def _part(upload: Upload, headers: Mapping[str, str], at: int, start: int, size: int) -> Part:
    end = min(start + _PIECE, size)
    lines = {**headers, "x-amz-copy-source-range": f"bytes={start}-{end - 1}"}
    query = [("partNumber", str(at)), ("uploadId", upload.id)]
    told = upload.service.tell_xml(Ask("PUT", upload.key, query, headers=lines), "CopyPartResult")
    return Part(
        at, end - start, text(told, "ETag"), checksums.decoded(text(told, "ChecksumCRC32"))
    )
