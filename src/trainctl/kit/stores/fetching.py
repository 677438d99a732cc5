"""Objects on their way here: by ranges, gone on from where a connection was cut, never mixed."""

from __future__ import annotations

import re
import threading
from typing import List, NamedTuple, Optional

from trainctl.kit.stores.arriving import Arrival, Expected, arrive
from trainctl.kit.stores.protocol import (
    CorruptError,
    ExistsError,
    Progress,
    StoreError,
    unmoved,
)
from trainctl.kit.stores.retries import PassingError, again
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.together import Shared
from trainctl.kit.stores.window import Window, lazily
from trainctl.kit.stores.wire import Answer, BrokenError

PIECE = 32 << 20  # of one request; only what arrives takes memory
_FIRST = 8 << 20
_SLICE = 1 << 20  # how much is read before the progress is told of it
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


class Span(NamedTuple):
    """What a range request brought: how much, of an object how long and which."""

    length: int
    size: int
    etag: str


class Wanted(NamedTuple):
    key: str
    path: str
    crc32: Optional[int]
    sha256: Optional[str]


def read(service: Service, key: str, start: int, length: Optional[int]) -> bytes:
    """So many bytes from there; fewer only at the end. Raises AbsentError."""
    found: List[memoryview] = []
    fetch = Fetch(service, key)
    at, end = start, None if length is None else start + length
    while end is None or at < end:
        view = lazily(PIECE if end is None else min(PIECE, end - at))
        span = fetch.fill(view, at)
        found.append(view[: span.length])
        at += span.length
        if at >= span.size or not span.length:
            break
    return b"".join(found)


_own = threading.local()


def _buffer() -> memoryview:
    """This thread's own memory: getting it anew for each file takes longer than filling it."""
    held: Optional[memoryview] = getattr(_own, "buffer", None)
    if held is None:
        _own.buffer = held = lazily(_FIRST)
    return held


def download(service: Service, wanted: Wanted, progress: Progress, connections: int) -> None:
    """Beside `path`, then to it; see `Store.download`."""
    shared = Shared(progress)
    first = Fetch(service, wanted.key)
    view = _buffer()
    span = first.fill(view, 0)  # tells size and ETag too, and is all there is of most objects
    where = service.what(wanted.key)

    def fill(arrival: Arrival) -> None:
        shared(arrival.done)
        if arrival.done < span.length:
            shared(span.length - arrival.done)
            arrival.add(view[arrival.done : span.length])
        if arrival.done < span.size:
            rest = Fetch(service, wanted.key, span.etag, shared)
            for piece in Window(rest.filled, arrival.done, span.size, connections, shared):
                arrival.add(piece)

    arrive(wanted.path, Expected(where, span.size, wanted.crc32, wanted.sha256), fill)


class Fetch:
    """Ranges of one object, all of the same version of it. Threads may share it."""

    def __init__(
        self, service: Service, key: str, etag: str = "", progress: Progress = unmoved
    ) -> None:
        self._service = service
        self._key = key
        self._etag = etag
        self._progress = progress

    def fill(self, view: memoryview, start: int) -> Span:
        """As much of the view as there is from there on.

        A body that is cut off is gone on from; only tries that bring nothing wear patience out.
        Raises CorruptError where the object is another than before.
        """
        span = Span(0, start + len(view), self._etag)
        what = self._service.what(self._key)
        while span.length < min(len(view), span.size - start):
            done = span.length

            def work(_: int, done: int = done) -> Span:
                return self._try(view[done:], start + done)

            more = again(self._service.patience, what, work)
            span = Span(done + more.length, more.size, more.etag)
            if not more.length:
                break
        return span

    def filled(self, view: memoryview, start: int) -> int:
        return self.fill(view, start).length

    def _try(self, view: memoryview, start: int) -> Span:
        """What one request brings; raises PassingError only where that is nothing."""
        headers = {"range": f"bytes={start}-{start + len(view) - 1}"}
        if self._etag:
            headers["if-match"] = self._etag
        ask = Ask("GET", self._key, headers=headers, ok=(200, 206, 416))
        try:
            answer = self._service.once(ask)
        except ExistsError as error:
            raise self._changed() from error
        with answer:
            size = self._size(answer, start)
            etag = answer.header("etag")
            if self._etag and etag != self._etag:
                raise self._changed()
            self._etag = self._etag or etag
            wanted = max(0, min(len(view), size - start))
            return Span(self._take(answer, view[:wanted]), size, etag)

    def _changed(self) -> CorruptError:
        return CorruptError(f"{self._service.what(self._key)} was changed while it was fetched")

    def _size(self, answer: Answer, start: int) -> int:
        """Of the whole object. Raises StoreError for what is not the range that was asked for."""
        told = _RANGE.fullmatch(answer.header("content-range").strip())
        if answer.status == 416:
            return int(told[3]) if told else start
        if answer.status == 206 and told and told[1] and int(told[1]) == start:
            return int(told[3])
        if answer.status == 200 and start == 0 and answer.length is not None:
            return answer.length
        what = self._service.what(self._key)
        raise StoreError(f"{what}: the service sent another range than was asked for")

    def _take(self, answer: Answer, view: memoryview) -> int:
        done = 0
        while done < len(view):
            try:
                count = answer.readinto(view[done : done + _SLICE])
            except BrokenError as error:
                count, why = 0, str(error)
            else:
                why = "its body was cut off"
            if not count:
                if not done:
                    raise PassingError(why)
                break
            done += count
            self._progress(count)
        return done
