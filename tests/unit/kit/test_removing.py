"""Removing a checkpoint: manifest first, nothing else with it, and twice is once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainctl.kit import checkpoints, manifest, pins, removing
from trainctl.kit.checkpoints import Found


def look(path: Path) -> Found:
    found = checkpoints.look(str(path))
    assert found is not None
    return found


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What no removal may reach."""
    made = tmp_path / "outside"
    made.mkdir()
    (made / "precious").write_text("precious")
    return made


@pytest.fixture
def folder(tmp_path: Path, outside: Path) -> Path:
    made = tmp_path / "out/checkpoint-7"
    (made / "deep").mkdir(parents=True)
    (made / "deep/model.bin").write_bytes(b"x" * 100)
    (made / "link").symlink_to(outside)
    (made / "file-link").symlink_to(outside / "precious")
    return made


def test_a_folder_goes_with_its_manifest_and_nothing_else(
    tmp_path: Path, folder: Path, outside: Path
):
    manifests = str(tmp_path / "manifests")
    manifest.write(manifests, manifest.make(str(folder)))
    found = look(folder)
    removing.remove(manifests, found)
    assert os.listdir(manifests) == []
    assert os.listdir(folder.parent) == []
    assert (outside / "precious").read_text() == "precious"
    removing.remove(manifests, found)


def test_a_file_goes_and_its_manifest(tmp_path: Path):
    path = tmp_path / "step-3.pt"
    path.write_bytes(b"x")
    manifests = str(tmp_path / "manifests")
    manifest.write(manifests, manifest.make(str(path)))
    removing.remove(manifests, look(path))
    assert not path.exists()
    assert manifest.read(manifests, str(path)) is None


def test_a_manifest_goes_where_the_data_has_gone_before(tmp_path: Path):
    path = tmp_path / "step-3.pt"
    path.write_bytes(b"x")
    manifests = str(tmp_path / "manifests")
    manifest.write(manifests, manifest.make(str(path)))
    found = look(path)
    path.unlink()
    removing.remove(manifests, found)
    assert manifest.read(manifests, str(path)) is None


def test_what_was_written_to_meanwhile_stays(tmp_path: Path):
    path = tmp_path / "last.pt"
    path.write_bytes(b"x")
    found = look(path)
    path.write_bytes(b"newer")
    with pytest.raises(removing.ChangedError):
        removing.remove(str(tmp_path / "manifests"), found)
    assert path.read_bytes() == b"newer"


@pytest.mark.parametrize("name", ["step-3.pt", "checkpoint-7"])
def test_what_another_removes_as_it_is_looked_at_is_gone_and_that_is_success(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    (folder.parent / "step-3.pt").write_bytes(b"x")
    found = look(folder.parent / name)

    def too_late(path: str) -> None:
        removing.clear(path)

    monkeypatch.setattr(checkpoints, "look", too_late)
    removing.remove(str(tmp_path / "manifests"), found)
    assert not os.path.lexists(found.path)


def test_a_link_is_not_removed_and_not_followed(tmp_path: Path, outside: Path):
    (outside / "step-3.pt").write_bytes(b"x")
    link = tmp_path / "last.pt"
    link.symlink_to(outside / "step-3.pt")
    with pytest.raises(removing.ChangedError):
        removing.remove(str(tmp_path / "manifests"), look(link))
    assert (outside / "step-3.pt").exists()
    assert link.is_symlink()


def test_what_a_killed_removal_left_is_swept(tmp_path: Path, folder: Path, outside: Path):
    os.rename(folder, folder.parent / f"{removing.PREFIX}0a1b")
    assert checkpoints.scan([str(folder.parent)]) == []
    removing.sweep(str(folder.parent))
    assert os.listdir(folder.parent) == []
    assert (outside / "precious").exists()
    removing.sweep(str(tmp_path / "nowhere"))


def test_a_pin_holds_by_the_real_path(tmp_path: Path):
    folder, path = str(tmp_path / "pins"), tmp_path / "step-3.pt"
    path.write_bytes(b"x")
    (tmp_path / "last.pt").symlink_to(path)
    assert not pins.is_pinned(folder, str(path))
    pins.pin(folder, str(tmp_path / "last.pt"))
    pins.pin(folder, str(path))
    assert pins.is_pinned(folder, str(path))
    pins.unpin(folder, str(path))
    pins.unpin(folder, str(path))
    assert not pins.is_pinned(folder, str(tmp_path / "last.pt"))
