"""A file on its way to a bucket: in one request, or in parts that are never sent twice.

What is sent was read once, into memory, and summed there: a file that changes meanwhile cannot
slip through, and a request that is repeated says the same.
"""

from __future__ import annotations

import threading
import time
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from trainctl.kit import crc
from trainctl.kit.stores import checksums, confirming, multipart
from trainctl.kit.stores.leaving import Leaving
from trainctl.kit.stores.multipart import Part, Upload, part_bytes
from trainctl.kit.stores.protocol import AbsentError, CorruptError, Item, Progress
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.together import Shared, together

_SLICE = 256 << 10  # how much is sent before the progress is told of it

_local = threading.local()


def _buffer(size: int) -> memoryview:
    """This thread's own memory: a fresh one for each file or part costs more than reading it."""
    held: Optional[memoryview] = getattr(_local, "buffer", None)
    if held is None or len(held) < size:
        _local.buffer = held = memoryview(bytearray(size))
    return held[:size]


class Sender:
    """One file. key: in the bucket. connections: for a file of several parts."""

    def __init__(self, service: Service, key: str, progress: Progress, connections: int) -> None:
        self._service = service
        self._key = key
        self._shared = Shared(progress)
        self._connections = connections

    def send(self, path: str, crc32: Optional[int]) -> Item:
        """What the store holds then. Raises CorruptError, with nothing stored, for another CRC."""
        with Leaving(path) as source:
            if source.size > part_bytes(source.size):
                return self._in_parts(source, crc32)
            view = _buffer(source.size)
            found = source.fill(view, 0)
            source.check(found, crc32)
            return self._in_one(view, found)

    def _in_one(self, view: memoryview, crc32: int) -> Item:
        body = _Slices(view, self._shared)
        ask = Ask("PUT", self._key, (), checksums.headers(crc32), body, len(view))
        told = self._service.tell(ask).headers
        item = Item(self._key, len(view), time.time(), told.get("etag", ""), crc32)
        known = checksums.decoded(told.get(checksums.HEADER, ""))
        if _confirms(Part(1, len(view), item.etag, known), view, crc32):
            return item  # no need to ask
        return confirming.look(self._service, item, are_known=False)

    def _in_parts(self, source: Leaving, crc32: Optional[int]) -> Item:
        others = multipart.of_key(self._service, self._key)
        upload = others.pop() if others else multipart.begin(self._service, self._key)
        there = {part.number: part for part in upload.parts()} if upload.begun else {}
        run = _Parts(source, upload, there, self._shared)
        try:
            together(run.starts, run.bring, self._connections, self._shared)
            found = run.sum()
            source.check(found, crc32)
            self._complete(upload, run, found)
        except CorruptError:
            upload.abort()
            raise
        for other in others:
            other.abort()
        item = Item(self._key, source.size, time.time(), "", found)
        return confirming.look(self._service, item, are_known=run.are_confirmed)

    def _complete(self, upload: Upload, run: _Parts, crc32: int) -> None:
        try:
            upload.complete(run.parts(), run.size, crc32)
        except AbsentError:
            # An earlier try had succeeded and only its answer was lost, or somebody who sends the
            # same was faster: what lies there now tells.
            if confirming.head(self._service, self._key) is None:
                raise


class _Parts:
    """What of a file has arrived, and what has not."""

    def __init__(
        self, source: Leaving, upload: Upload, there: Mapping[int, Part], shared: Shared
    ) -> None:
        self.size = source.size
        self.are_confirmed = True
        self._step = part_bytes(source.size)
        self.starts = range(0, self.size, self._step)
        self._source = source
        self._upload = upload
        self._there = there
        self._shared = shared
        self._done: Dict[int, Tuple[Part, int]] = {}

    def bring(self, start: int) -> None:
        """Send the part that starts there, unless the same has arrived before."""
        view = _buffer(min(self._step, self.size - start))
        crc32 = self._source.fill(view, start)
        number = start // self._step + 1
        part = self._there.get(number)
        if part is not None and part.size == len(view) and _confirms(part, view, crc32):
            self._shared(len(view))
        else:
            part = self._upload.send(number, _Slices(view, self._shared), len(view), crc32)
            self.are_confirmed = self.are_confirmed and _confirms(part, view, crc32)
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


class _Slices:
    """A body in pieces. The progress hears of each once, however often it is sent."""

    def __init__(self, view: memoryview, progress: Progress) -> None:
        self._view = view
        self._progress = progress
        self._told = 0

    def __iter__(self) -> Iterator[memoryview]:
        for start in range(0, len(self._view), _SLICE):
            piece = self._view[start : start + _SLICE]
            yield piece
            if start >= self._told:
                self._told = start + len(piece)
                self._progress(len(piece))


def _confirms(part: Part, view: memoryview, crc32: int) -> bool:
    """Whether the service's own word is that it has exactly these bytes."""
    if part.crc32 is not None:
        return part.crc32 == crc32
    return confirming.is_md5_of(part.etag, view)
