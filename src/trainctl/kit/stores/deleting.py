"""Deletes, a thousand keys at a time where the service can."""

from __future__ import annotations

from typing import List, Tuple

from trainctl.kit.stores import checksums
from trainctl.kit.stores.protocol import AbsentError, StoreError, UnsupportedError
from trainctl.kit.stores.service import Ask, Service
from trainctl.kit.stores.xml import text, written

_PAGE = 1000


def delete(service: Service, keys: List[str]) -> None:
    """Already gone is success. Raises StoreError with the first that would not go."""
    alone = [key for key in keys if not key.isprintable()]  # XML cannot say all of them
    many = [key for key in keys if key.isprintable()]
    if len(many) <= 2:
        alone, many = keys, []
    for start in range(0, len(many), _PAGE):
        page = many[start : start + _PAGE]
        try:
            _page(service, page)
        except UnsupportedError:
            alone += page
    for key in alone:
        try:
            service.tell(Ask("DELETE", key, ok=(200, 204)))
        except AbsentError:
            pass


def _page(service: Service, keys: List[str]) -> None:
    listed: List[Tuple[str, object]] = [("Quiet", "true")]
    listed += [("Object", [("Key", key)]) for key in keys]
    body = written("Delete", listed).encode()
    headers = {**checksums.headers_of(body), "content-type": "application/xml"}
    told = service.tell_xml(
        Ask("POST", query=[("delete", "")], headers=headers, body=body), "DeleteResult"
    )
    for error in told.iterfind("Error"):
        if text(error, "Code") != "NoSuchKey":
            why = text(error, "Message") or text(error, "Code")
            raise StoreError(f"{service.what(text(error, 'Key'))} was not deleted: {why}")
