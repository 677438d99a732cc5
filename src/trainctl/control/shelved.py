"""Verify a checkpoint where it lies in a store: by the checksums that the store keeps."""

from __future__ import annotations

import hashlib
import zlib

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
        checked = ["structure"]
        manifest = layout.read_manifest(store, key) if layout.is_key(key) else None
        if manifest is not None:
            checked.append("hashes" if deep else "checksums of the store")
            damages = _damages(store, key, manifest, deep=deep, pace=pace)
            wrong += located(damages, inspection.tensors)
        elif deep:
            checked.append("checksums")
            wrong += [Finding(what) for what in reader.verify(source)]
        size = sum(source.files().values())
    return Verified(url, reader.name, tuple(wrong), tuple(checked), manifest, bytes=size)


def _damages(
    store: Store, key: str, manifest: Manifest, *, deep: bool, pace: Pace
) -> list[Damage]:
    found: list[Damage] = []
    for record in manifest.files:
        at = layout.data_key(key, manifest, record.path)
        item = store.head(at)
        if item is None:
            found.append(Damage(record.path, "is missing"))
        elif item.size != record.size:
            found.append(Damage(record.path, f"has {item.size} bytes, not {record.size}"))
        elif deep:
            found.extend(_read(store, at, record, pace))
        elif item.crc32 is not None and item.crc32 != record.crc32:
            found.append(Damage(record.path, "has another checksum than its manifest"))
    return found


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
