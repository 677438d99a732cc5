"""Uploads in parts: begun, found again after a kill, completed, or called off.

Source: Amazon S3 API reference, CreateMultipartUpload and following. The checksum that goes with
the completion is of the whole object (type FULL_OBJECT), so that a HEAD tells it afterwards.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import unquote_plus

from trainctl.kit.stores import checksums
from trainctl.kit.stores.leaving import Piece
from trainctl.kit.stores.machine import moment
from trainctl.kit.stores.protocol import AbsentError, DeniedError, StoreError, UnsupportedError
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.xml import MalformedError, needed, number, text, written

_PAGES = 1000  # a list that goes on for longer begins anew each time
_PART_BYTES = 8 << 20
_PARTS = 10_000
_TYPE = "x-amz-checksum-type"


class Part(NamedTuple):
    """number: from 1. crc32: as the service tells it, where it does."""

    number: int
    size: int
    etag: str
    crc32: Optional[int]


class Upload(NamedTuple):
    service: Service
    key: str
    id: str
    begun: float

    def parts(self) -> List[Part]:
        """Those that have arrived whole."""
        found: List[Part] = []
        marker = ""
        for _ in range(_PAGES):
            query = [("uploadId", self.id)]
            query += [("part-number-marker", marker)] if marker else []
            page = self.service.tell_xml(Ask("GET", self.key, query), "ListPartsResult")
            try:
                for one in page.iterfind("Part"):
                    crc32 = checksums.decoded(text(one, "ChecksumCRC32"))
                    etag = text(one, "ETag")
                    found.append(Part(number(one, "PartNumber"), number(one, "Size"), etag, crc32))
                marker = text(page, "NextPartNumberMarker")
                is_last = text(page, "IsTruncated") != "true"
            except MalformedError as error:
                raise StoreError(f"{self.service.what(self.key)}: its parts: {error}") from error
            if is_last or not marker:
                break
        return found

    def send(self, at: int, body: Piece, crc32: int) -> Part:
        """Send part number `at`. Raises CorruptError where the service received something else."""
        query = [("partNumber", str(at)), ("uploadId", self.id)]
        headers = checksums.headers(crc32)
        told = self.service.tell(Ask("PUT", self.key, query, headers, body))
        known = checksums.decoded(told.headers.get(checksums.HEADER, ""))
        return Part(at, body.length, told.headers.get("etag", ""), known)

    def complete(self, parts: Sequence[Part], size: int, crc32: int) -> None:
        """Make the parts one object. Raises AbsentError where somebody else has ended it."""
        listed: List[Tuple[str, object]] = []
        for part in parts:
            told: List[Tuple[str, object]] = [("PartNumber", part.number), ("ETag", part.etag)]
            if part.crc32 is not None:
                told.append(("ChecksumCRC32", checksums.encoded(part.crc32)))
            listed.append(("Part", told))
        headers: Dict[str, str] = {
            checksums.HEADER: checksums.encoded(crc32),
            _TYPE: "FULL_OBJECT",
            "x-amz-mp-object-size": str(size),
            "content-type": "application/xml",
        }
        body = written("CompleteMultipartUpload", listed).encode()
        ask = Ask("POST", self.key, [("uploadId", self.id)], headers=headers, body=body)
        self.service.tell_xml(ask, "CompleteMultipartUploadResult")

    def abort(self) -> None:
        """Drop its parts; already gone is success."""
        ask = Ask("DELETE", self.key, [("uploadId", self.id)], ok=(200, 204))
        try:
            self.service.tell(ask)
        except AbsentError:
            pass


def begin(service: Service, key: str) -> Upload:
    headers = {"x-amz-checksum-algorithm": checksums.ALGORITHM, _TYPE: "FULL_OBJECT"}
    ask = Ask("POST", key, [("uploads", "")], headers=headers)
    told = service.tell_xml(ask, "InitiateMultipartUploadResult")
    found = text(told, "UploadId")
    if not found:
        raise StoreError(f"{service.what(key)}: the service began an upload without an id")
    return Upload(service, key, found, 0.0)


def unfinished(service: Service, prefix: str) -> Iterator[Upload]:
    """Uploads to keys that begin so, which are neither completed nor called off."""
    marker: List[Tuple[str, str]] = []
    for _ in range(_PAGES):
        query = [("uploads", ""), ("prefix", prefix), ("encoding-type", "url"), *marker]
        page = service.tell_xml(Ask("GET", query=query), "ListMultipartUploadsResult")
        plain = text(page, "EncodingType") != "url"
        for one in page.iterfind("Upload"):
            key = needed(one, "Key")
            key = key if plain else unquote_plus(key)
            yield Upload(service, key, needed(one, "UploadId"), moment(needed(one, "Initiated")))
        if text(page, "IsTruncated") != "true":
            return
        next_key, next_id = text(page, "NextKeyMarker"), text(page, "NextUploadIdMarker")
        marker = [("key-marker", next_key), ("upload-id-marker", next_id)]


def of_key(service: Service, key: str) -> List[Upload]:
    """The unfinished ones of just this key, oldest first; none where we may not ask."""
    try:
        found = [upload for upload in unfinished(service, key) if upload.key == key]
    except (UnsupportedError, DeniedError):
        return []
    return sorted(found, key=lambda upload: upload.begun)


def part_bytes(size: int) -> int:
    """How long the parts of an object are: the same every time, so that they are found again."""
    found = _PART_BYTES
    while found * _PARTS < size:
        found *= 2
    return found
