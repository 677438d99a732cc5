"""A folder as a store: with others at work in it, strange files in it, and the disk gone."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from trainctl.kit.stores import shelf
from trainctl.kit.stores.folder import FolderStore
from trainctl.kit.stores.layout import MANIFEST
from trainctl.kit.stores.protocol import AbsentError, StoreError

KEY = "runs/r/1-2-0123456789ab"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "store"))


def staged(store: FolderStore) -> list[str]:
    return os.listdir(f"{store.url}/.trainctl")


def test_what_somebody_is_still_writing_is_not_swept(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data" * 1000)
    swept: list[int] = []

    def meanwhile(_: int) -> None:
        swept.append(FolderStore(store.url).sweep("d/", time.time() + 60))

    store.upload(str(tmp_path / "file"), "d/k", progress=meanwhile)
    assert set(swept) == {0}
    assert store.read("d/k") == b"data" * 1000


def test_what_a_dead_writer_left_is_swept(store: FolderStore) -> None:
    store.write("d/k", b"data")
    left = Path(store.url, ".trainctl", "d%2Fk.0123")
    left.write_bytes(b"da")
    Path(store.url, ".trainctl", "d%2Fk.gone").symlink_to("nothing")
    assert store.sweep("d/", time.time() - 60) == 0
    assert store.sweep("d/", time.time() + 60) == 1
    assert not left.exists()


def test_what_was_swept_is_put_where_somebody_else_put_the_same(
    store: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"data")

    def meanwhile(_: int) -> None:
        for name in staged(store):
            os.unlink(f"{store.url}/.trainctl/{name}")
        store.write("d/k", b"data")

    assert store.upload(str(tmp_path / "file"), "d/k", progress=meanwhile).size == 4
    assert staged(store) == []


def test_a_pipe_keeps_nobody_waiting(store: FolderStore, tmp_path: Path) -> None:
    Path(store.url, KEY).mkdir(parents=True)
    os.mkfifo(f"{store.url}/{KEY}/{MANIFEST}")
    with pytest.raises(AbsentError):
        store.read(f"{KEY}/{MANIFEST}")
    with pytest.raises(AbsentError):
        store.download(f"{KEY}/{MANIFEST}", str(tmp_path / "back"))
    assert shelf.shelved(store) == []
    shelf.discard(store, KEY)
    assert not Path(store.url, KEY).exists()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_store_that_is_gone_is_not_made_anew(store: FolderStore, is_known: bool) -> None:
    store.write("a", b"x")
    again = FolderStore(store.url) if is_known else store
    shutil.rmtree(store.url)
    with pytest.raises(StoreError, match="is it mounted"):
        again.write("b", b"x")
    os.mkdir(store.url)  # the mount point
    with pytest.raises(StoreError, match="is it mounted"):
        again.copy("a", "b")
    assert os.listdir(store.url) == []
