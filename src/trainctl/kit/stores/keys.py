"""Which names may be keys: none that leads out of the store, or that a store would not keep."""

from __future__ import annotations

from trainctl.kit.stores.protocol import StoreError

LONGEST = 1024  # bytes; S3's limit (Amazon S3 User Guide, "Naming Amazon S3 objects")


def check(key: str) -> str:
    """The key. Raises StoreError for one that is absolute, has `.` or `..` parts, and the like."""
    bad = any(part in {"", ".", ".."} for part in key.split("/")) or "\0" in key
    if bad:
        raise StoreError(f"{key!r} cannot be a key of a store")
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise StoreError(f"{key!r} is not UTF-8, as keys of a store must be") from None
    if length > LONGEST:
        raise StoreError(f"{key[:60]!r}... is longer than a key may be: {LONGEST} bytes")
    return key
