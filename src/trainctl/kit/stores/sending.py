"""A file on its way to a bucket: in one request, or in parts that are never sent twice.

Each request tells the CRC-32 that its body must have, and the service refuses what has another: a
file that changes meanwhile cannot slip through.
"""

from __future__ import annotations

import time
from typing import Dict, List, Optional, Tuple

from trainctl.kit import crc
from trainctl.kit.stores import checksums, confirming, multipart
from trainctl.kit.stores.leaving import Leaving, Piece
from trainctl.kit.stores.multipart import Part, Upload, part_bytes
from trainctl.kit.stores.protocol import AbsentError, Blocks, CorruptError, Item, Progress
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.together import Shared, together


class Sender:
    """One file. key: in the bucket. connections: for a file of several parts."""

    def __init__(self, service: Service, key: str, progress: Progress, connections: int) -> None:
        self._service = service
        self._key = key
        self._shared = Shared(progress)
        self._connections = connections

    def send(self, path: str, crc32: Optional[int], blocks: Blocks) -> Item:
        """What the store holds then. Raises CorruptError, with nothing stored, for another CRC."""
        with Leaving(path) as source:
            sums = _Sums(source, crc32, blocks)
            if source.size > part_bytes(source.size):
                return self._in_parts(source, sums)
            found = sums.of(0, source.size)
            source.check(found, crc32)
            return self._in_one(source, found)

    def _in_one(self, source: Leaving, crc32: int) -> Item:
        body = Piece(source, 0, source.size, self._shared)
        told = self._service.tell(
            Ask("PUT", self._key, (), checksums.headers(crc32), body)
        ).headers
        item = Item(self._key, source.size, time.time(), told.get("etag", ""), crc32)
        known = checksums.decoded(told.get(checksums.HEADER, ""))
        if _confirms(Part(1, source.size, item.etag, known), source, 0, crc32):
            source.check(crc32, crc32)
            return item  # no need to ask
        return confirming.look(self._service, item, are_known=False)

    def _in_parts(self, source: Leaving, sums: _Sums) -> Item:
        others = multipart.of_key(self._service, self._key)
        upload = others.pop() if others else multipart.begin(self._service, self._key)
        run = _Parts(source, sums, upload, self._shared)
        try:
            found = self._bring_all(run, source, sums, upload)
        except CorruptError:
            upload.abort()
            raise
        for other in others:
            other.abort()
        item = Item(self._key, source.size, time.time(), "", found)
        return confirming.look(self._service, item, are_known=run.are_confirmed)

    def _bring_all(self, run: _Parts, source: Leaving, sums: _Sums, upload: Upload) -> int:
        """The CRC-32 of the file, which lies there as one object then."""
        try:
            run.find()
            together(run.starts, run.bring, self._connections, self._shared)
            found = run.sum()
            source.check(found, sums.whole)
            upload.complete(run.parts(), run.size, found)
        except AbsentError:
            # An earlier try had succeeded and only its answer was lost, or somebody who sends the
            # same was faster: what lies there now tells.
            if confirming.head(self._service, self._key) is None:
                raise
            found = source.sum(0, source.size)
            source.check(found, sums.whole)
            run.are_confirmed = False
        return found


class _Parts:
    """What of a file has arrived, and what has not."""

    def __init__(self, source: Leaving, sums: _Sums, upload: Upload, shared: Shared) -> None:
        self.size = source.size
        self.are_confirmed = True
        self._step = part_bytes(source.size)
        self.starts = range(0, self.size, self._step)
        self._source = source
        self._sums = sums
        self._upload = upload
        self._there: Dict[int, Part] = {}
        self._shared = shared
        self._done: Dict[int, Tuple[Part, int]] = {}

    def find(self) -> None:
        """What an earlier try has sent."""
        if self._upload.begun:
            self._there = {part.number: part for part in self._upload.parts()}

    def bring(self, start: int) -> None:
        """Send the part that starts there, unless the same has arrived before."""
        length = min(self._step, self.size - start)
        crc32 = self._sums.of(start, length)
        number = start // self._step + 1
        part = self._there.get(number)
        if part and part.size == length and _confirms(part, self._source, start, crc32):
            self._shared(length)
        else:
            piece = Piece(self._source, start, length, self._shared)
            part = self._upload.send(number, piece, crc32)
            known = _confirms(part, self._source, start, crc32)
            self.are_confirmed = self.are_confirmed and known
        self._done[number] = part, crc32

    def parts(self) -> List[Part]:
        return [self._done[number][0] for number in sorted(self._done)]

    def sum(self) -> int:
        """The CRC-32 of the whole file."""
        total = 0
        for number in sorted(self._done):
            part, crc32 = self._done[number]
            total = crc.combine(total, crc32, part.size)
        return total


class _Sums:
    """The CRC-32 of a file's parts: from what is known of it, else by reading them."""

    def __init__(self, source: Leaving, whole: Optional[int], blocks: Blocks) -> None:
        self.whole = whole
        self._source = source
        self._blocks = blocks
        self._is_known = whole is not None and len(blocks.sums) == -(
            -source.size // max(1, blocks.bytes)
        )

    def of(self, start: int, length: int) -> int:
        step = self._blocks.bytes
        ends = length % step == 0 or start + length == self._source.size if step else False
        if not (self._is_known and ends and start % step == 0):
            return self._source.sum(start, length)
        total = 0
        for at in range(start, start + length, step):
            size = min(step, start + length - at)
            total = crc.combine(total, self._blocks.sums[at // step], size)
        return total


def _confirms(part: Part, source: Leaving, start: int, crc32: int) -> bool:
    """Whether the service's own word is that it has exactly these bytes."""
    if part.crc32 is not None:
        return part.crc32 == crc32
    etag = part.etag.strip('"').lower()
    return len(etag) == 32 and etag == source.md5(start, part.size)
