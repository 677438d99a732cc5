"""Verify a checkpoint where it lies in a store: by the checksums that the store keeps."""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.remote import StoreSource
from trainctl.checkpoints.verify import Finding, Verified, located
from trainctl.control import stores
from trainctl.control.checkpoints import Ground
from trainctl.control.wiring import connect
from trainctl.kit.hashing import Damage, FileRecord, Pace
from trainctl.kit.manifest import Manifest
from trainctl.kit.stores import layout
from trainctl.kit.stores.protocol import Store


def verify(where: Ground, url: str, *, deep: bool, pace: Pace) -> Verified:
    """Sizes and checksums as the store tells them; deep: every byte is fetched and hashed.

    What trainctl did not push has no manifest there: its structure is looked at, and deep reads
    the format's own checksums. Raises ProviderError and its kin.
    """
    with stores.told():
        store, key = stores.locate(connect(where.cwd, where.environ), url)
        source = StoreSource(store, key)
        reader = registry.recognise(source)
        inspection = registry.inspect(source)
        wrong = [Finding(what) for what in inspection.findings]
        if layout.is_key(key):
            manifest = layout.read_manifest(store, key)
            held = _held(store, key, manifest, deep=deep or "://" not in url, pace=pace)
            wrong += located(held.damages, inspection.tensors)
            checked, size = ("structure", held.by), manifest.size
        else:
            manifest = None
            wrong += [Finding(what) for what in reader.verify(source)] if deep else []
            checked = ("structure", "checksums") if deep else ("structure",)
            size = sum(source.files().values())
    return Verified(url, reader.name, tuple(wrong), checked, manifest, bytes=size)


class _Held(NamedTuple):
    by: str
    damages: list[Damage]


def _held(store: Store, key: str, manifest: Manifest, *, deep: bool, pace: Pace) -> _Held:
    """Against its manifest. A folder keeps no checksums and is read at once."""
    found: list[Damage] = []
    by = "hashes" if deep else "the store's checksums"
    for record in manifest.files:
        at = layout.data_key(key, manifest, record.path)
        item = store.head(at)
        if item is None:
            found.append(Damage(record.path, "is missing"))
        elif item.size != record.size:
            found.append(Damage(record.path, f"has {item.size} bytes, not {record.size}"))
        elif deep:
            found.extend(_read(store, at, record, pace))
        elif item.crc32 is None:
            by = "sizes alone, as the store tells no checksum (--deep reads it all)"
        elif item.crc32 != record.crc32:
            found.append(Damage(record.path, "has another checksum than its manifest"))
    return _Held(by, found)


def _read(store: Store, key: str, record: FileRecord, pace: Pace) -> list[Damage]:
    """Fetch it block by block: none of it is kept."""
    whole = hashlib.sha256()
    found: list[Damage] = []
    for number, expected in enumerate(record.blocks):
        start = number * record.block_bytes
        end = min(start + record.block_bytes, record.size)
        data = store.read(key, start, end - start)
        whole.update(data)
        pace(len(data))
        if zlib.crc32(data) != expected:
            found.append(Damage(record.path, "differs from its manifest", start, end))
    if not found and whole.hexdigest() != record.sha256:
        found.append(Damage(record.path, "differs from its manifest"))
    return found
