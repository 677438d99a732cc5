"""What lies in a bucket: lists in pages, and the heads of objects."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http.client import HTTPMessage
from typing import TYPE_CHECKING, Iterator, List, Tuple
from urllib.parse import unquote_plus

from trainctl.kit.stores import checksums
from trainctl.kit.stores.machine import moment
from trainctl.kit.stores.protocol import Item, StoreError
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.xml import MalformedError, needed, number, text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def item_of(key: str, headers: HTTPMessage) -> Item:
    """From what a HEAD tells. Raises StoreError where it tells no size."""
    size = headers.get("content-length", "")
    if not (size.isascii() and size.isdigit()):
        raise StoreError(f"{key}: the service tells no size")
    try:
        modified = parsedate_to_datetime(headers.get("last-modified", "")).timestamp()
    except (TypeError, ValueError, IndexError):
        modified = 0.0
    crc32 = checksums.decoded(headers.get(checksums.HEADER, ""))
    return Item(key, int(size[:18]), modified, headers.get("etag", ""), crc32)


def items(service: Service, prefix: str, *, folders: bool) -> Iterator[Item]:
    """Every key that begins so. Raises StoreError rather than leave anything out."""
    token, seen = "", {""}
    while True:
        query = [("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")]
        query += [("delimiter", "/")] if folders else []
        query += [("continuation-token", token)] if token else []
        page = service.tell_xml(Ask("GET", query=query), "ListBucketResult")
        try:
            found, token = _page(page)
        except (MalformedError, ValueError) as error:
            raise StoreError(f"{service.what(prefix)}: a page of the list: {error}") from error
        yield from found
        if not token:
            return
        if token in seen:
            raise StoreError(f"{service.what(prefix)}: the list begins anew at each page")
        seen.add(token)


def _page(page: Element) -> Tuple[List[Item], str]:
    """Its items, and what to ask the next page by; empty where it is the last."""
    plain = text(page, "EncodingType") != "url"

    def name(element: Element, tag: str) -> str:
        found = needed(element, tag)
        return found if plain else unquote_plus(found)

    found = [
        Item(
            name(one, "Key"),
            number(one, "Size"),
            moment(needed(one, "LastModified")),
            text(one, "ETag"),
        )
        for one in page.iterfind("Contents")
    ]
    # Consoles put empty objects that end in "/" for folders; they hold nothing.
    found = [item for item in found if not item.key.endswith("/")]
    for one in page.iterfind("CommonPrefixes"):
        found.append(Item(name(one, "Prefix"), 0, 0.0, ""))
    token = ""
    if needed(page, "IsTruncated").strip() == "true":
        token = needed(page, "NextContinuationToken")
        if not token:
            raise MalformedError("it is not the last, and tells no next one")
    return sorted(found, key=lambda item: item.key.encode("utf-8", "surrogateescape")), token
