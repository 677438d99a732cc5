"""What a user has beside the place of a pull stays as it is; links are not gone through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainctl.control import foreign
from trainctl.kit import manifest as manifests
from trainctl.kit.checkpoints import scan
from trainctl.kit.manifest import Manifest
from trainctl.kit.stores import shelf
from trainctl.kit.stores.arriving import Expected
from trainctl.kit.stores.folder import FolderStore
from trainctl.kit.stores.growing import beside
from trainctl.kit.stores.layout import data_key
from trainctl.kit.stores.protocol import StoreError, unmoved


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "store"))


@pytest.fixture
def made(tmp_path: Path) -> Manifest:
    path = tmp_path / "run" / "step-1"
    (path / "sub").mkdir(parents=True)
    (path / "sub" / "model.bin").write_bytes(b"weights")
    return manifests.make(str(path))


def by_manifest(store: FolderStore, key: str, path: str) -> None:
    shelf.pull(store, key, path)


def as_foreign(store: FolderStore, key: str, path: str) -> None:
    foreign.fetch(store, f"{key}/data", path, unmoved)


@pytest.mark.parametrize("pull", [by_manifest, as_foreign])
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_that_is_called_partial_is_the_users(
    store: FolderStore,
    made: Manifest,
    tmp_path: Path,
    pull: Callable[[FolderStore, str, str], None],
    linked: bool,
) -> None:
    key = shelf.push(store, made).key
    mine = tmp_path / "out" / "step-1.partial"
    mine.parent.mkdir()
    if linked:
        (tmp_path / "elsewhere").mkdir()
        mine.symlink_to(tmp_path / "elsewhere")
    else:
        mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    pull(store, key, str(tmp_path / "out" / "step-1"))
    assert os.listdir(mine) == ["thesis.txt"]
    assert (tmp_path / "out" / "step-1" / "sub" / "model.bin").read_bytes() == b"weights"
    assert sorted(os.listdir(tmp_path / "out")) == ["step-1", "step-1.partial"]


def test_a_file_that_is_called_partial_is_the_users(
    store: FolderStore, made: Manifest, tmp_path: Path
) -> None:
    key = data_key(shelf.push(store, made).key, made, "sub/model.bin")
    (tmp_path / "last.pt.partial").write_text("notes")
    store.download(key, str(tmp_path / "last.pt"))
    assert (tmp_path / "last.pt.partial").read_text() == "notes"


@pytest.mark.parametrize("inside", ["", "sub"])
def test_a_link_in_its_place_is_refused(
    store: FolderStore, made: Manifest, tmp_path: Path, inside: str
) -> None:
    key = shelf.push(store, made).key
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.txt").write_text("mine")
    growing = Path(beside(str(tmp_path / "back"), made.id))
    if inside:
        growing.mkdir()
    (growing / inside).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="in the way"):
        shelf.pull(store, key, str(tmp_path / "back"))
    assert os.listdir(tmp_path / "elsewhere") == ["thesis.txt"]


@pytest.mark.parametrize("make", [os.symlink, os.link, lambda _, path: os.mkfifo(path)])
def test_only_a_file_of_ours_is_written_on(
    store: FolderStore, tmp_path: Path, make: Callable[[str, str], None]
) -> None:
    store.write("k", b"data")
    (tmp_path / "notes").write_text("mine")
    back = str(tmp_path / "back")
    make(str(tmp_path / "notes"), beside(back, Expected(f"{store.url}/k", 4).content))
    with pytest.raises(StoreError, match="in the way"):
        store.download("k", back)
    assert (tmp_path / "notes").read_text() == "mine"


def test_what_grows_is_no_checkpoint_and_any_name_fits(tmp_path: Path) -> None:
    Path(beside(str(tmp_path / "model.pt"), "x")).write_bytes(b"x")
    Path(beside(str(tmp_path / ("long" * 60 + ".pt")), "x")).write_bytes(b"x")
    folder = Path(beside(str(tmp_path / "checkpoint-5"), "x"))
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x")
    assert scan([str(tmp_path)]) == []
