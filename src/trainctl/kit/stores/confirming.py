"""Whether a bucket holds what was sent: by its own checksum, else by reading it back."""

from __future__ import annotations

import zlib
from typing import Optional

from trainctl.kit.stores import deleting, fetching
from trainctl.kit.stores.listing import item_of
from trainctl.kit.stores.protocol import AbsentError, CorruptError, Item
from trainctl.kit.stores.retries import PassingError, again
from trainctl.kit.stores.service import Ask, Service

_LOOKS = 5  # some services show the object before this one for a moment
_PIECE = 8 << 20


def head(service: Service, key: str) -> Optional[Item]:
    """None where there is no such key."""
    try:
        told = service.tell(Ask("HEAD", key, headers={"x-amz-checksum-mode": "ENABLED"}))
    except AbsentError:
        return None
    return item_of(key, told.headers)


def look(service: Service, sent: Item, *, are_known: bool) -> Item:
    """What is there, which is what was sent.

    are_known: each part was confirmed as it arrived, so that where the service tells no checksum
    of the whole, its size is enough. Raises CorruptError, with nothing left under the key.
    """

    def work(number: int) -> Item:
        there = head(service, sent.key)
        wrong = "it is not there" if there is None else _wrong(service, sent, there, are_known)
        if there is None or wrong:
            if number + 1 < _LOOKS:
                raise PassingError(wrong)
            deleting.delete(service, [sent.key])
            raise CorruptError(f"{service.what(sent.key)} is not what was sent: {wrong}")
        return there._replace(crc32=sent.crc32)

    patience = service.patience._replace(tries=max(_LOOKS, service.patience.tries))
    return again(patience, service.what(sent.key), work)


def _wrong(service: Service, sent: Item, there: Item, are_known: bool) -> str:  # noqa: FBT001
    if there.size != sent.size:
        return f"the store has {there.size} bytes of {sent.size}"
    found = there.crc32
    if found is None and not are_known:
        found = _read_back(service, there)
    return "" if found in {None, sent.crc32} else f"the store's CRC-32 is {found:08x}"


def _read_back(service: Service, there: Item) -> int:
    total = 0
    for start in range(0, there.size, _PIECE):
        total = zlib.crc32(fetching.read(service, there.key, start, _PIECE), total)
    return total
