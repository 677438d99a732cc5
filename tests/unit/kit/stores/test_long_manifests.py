"""What others have put where manifests lie: strange names, and manifests that are too long."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from trainctl.kit import manifest as manifests
from trainctl.kit.manifest import About, Manifest
from trainctl.kit.stores import layout, pushing, shelf
from trainctl.kit.stores.folder import FolderStore
from trainctl.kit.stores.layout import MANIFEST
from trainctl.kit.stores.protocol import CorruptError, StoreError

MIB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "store"))


def a_folder(path: Path) -> Manifest:
    path.mkdir()
    (path / "state").write_bytes(os.urandom(10))
    return manifests.make(str(path), About("run-1", 1, 400))


def test_folders_of_other_names_do_not_hinder_a_push(store: FolderStore, tmp_path: Path) -> None:
    for name in ("\u00b2-5-x", "9" * 200, "a-b", "-", "1-\u0665-0123456789ab"):
        store.write(f"runs/run-1/{name}/manifest.json", b"{}")
    made = a_folder(tmp_path / "c")
    assert shelf.push(store, made).id == made.id
    assert [one.id for one in shelf.shelved(store)] == [made.id]


def test_a_manifest_that_is_too_long_is_hardly_read(store: FolderStore, tmp_path: Path) -> None:
    for number in range(8):
        name = tmp_path / "store" / "runs" / "r" / f"1-{number}-0123456789ab" / MANIFEST
        name.parent.mkdir(parents=True)
        name.touch()
        os.truncate(name, 256 * MIB)
    tracemalloc.start()
    try:
        assert shelf.shelved(store) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100 * MIB
    with pytest.raises(CorruptError, match="longer than a manifest may be"):
        shelf.read_manifest(store, "runs/r/1-0-0123456789ab")


def test_a_long_manifest_is_read_whole(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_SHORT", 100)
    made = a_folder(tmp_path / "c")
    key = shelf.push(store, made).key
    assert shelf.read_manifest(store, key) == made
    monkeypatch.setattr(pushing, "LONGEST_MANIFEST", 100)
    other = a_folder(tmp_path / "d")
    with pytest.raises(StoreError, match="too long"):
        shelf.push(store, other)
    assert store.head(shelf.key_for(other)) is None
    assert list(store.list(f"{shelf.key_for(other)}/")) == []
