"""`checkpoint verify`: every byte, against what is known of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.fakes import checkpoints
from tests.unit.cli.conftest import Trainctl
from trainctl.kit import manifest

SHAPES = {f"net.{n}.weight": (512, 1024) for n in range(3)}  # 2 MiB each


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))


def test_what_passes_gets_a_manifest_that_the_next_compares(project: Path, trainctl: Trainctl):
    path = checkpoints.trainer(project / "checkpoint-5", 5)
    first = trainctl("checkpoint", "verify", "checkpoint-5", "--json").data
    assert first["whole"]
    assert first["checkpoints"][0]["manifest_was_made"]
    made = manifest.read(f"{project.parent}/state/manifests", str(path))
    assert made is not None
    assert made.about.step == 5
    assert "verified     yes" in trainctl("checkpoint", "info", "checkpoint-5").out

    second = trainctl("checkpoint", "verify", "checkpoint-5", "--json").data["checkpoints"][0]
    assert not second["manifest_was_made"]
    assert second["checked"] == ["structure", "manifest"]
    assert second["manifest"] == made.id


def test_damage_is_told_by_file_tensor_and_bytes(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", SHAPES)
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0
    flip(path, path.stat().st_size - 5)
    answer = trainctl("checkpoint", "verify", "a.safetensors")
    assert answer.code == 1
    assert "NOT WHOLE" in answer.out
    assert "net.2.weight" in answer.out
    assert "net.0.weight" not in answer.out
    assert "trainctl checkpoint verify --renew a.safetensors" in answer.out
    (one,) = trainctl("checkpoint", "verify", "a.safetensors", "--json").data["checkpoints"]
    (finding,) = one["findings"]
    assert finding["tensors"] == ["net.2.weight"]
    assert finding["start"] < path.stat().st_size - 5 < finding["end"]


@pytest.mark.parametrize("more", [(), ("--renew",)])
def test_on_a_full_disk_only_its_manifest_is_missing(
    project: Path, trainctl: Trainctl, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
):
    checkpoints.safetensors(project / "a.safetensors", SHAPES)

    def full(_: str, __: manifest.Manifest) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/state/manifests/x.json")

    monkeypatch.setattr(manifest, "write", full)
    answer = trainctl("checkpoint", "verify", "a.safetensors", *more)
    assert answer.code == 1
    assert "a.safetensors  whole" in answer.out
    assert "but its manifest could not be written: No space left on device" in answer.out
    assert "cannot be trusted" not in answer.err
    data = trainctl("checkpoint", "verify", "a.safetensors", *more, "--json").data
    assert data["whole"]
    assert data["checkpoints"][0]["manifest"] is None
    assert data["checkpoints"][0]["manifest_not_written"] == "No space left on device"


def test_a_bit_that_flips_without_a_write_shows_too(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", SHAPES)
    was = path.stat()
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0
    flip(path, 100_000)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    (one,) = trainctl("checkpoint", "verify", "a.safetensors", "--json").data["checkpoints"]
    assert one["findings"]
    assert not one["was_rewritten"]


def test_renew_takes_what_is_there_now_where_it_is_whole(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", SHAPES)
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0
    checkpoints.safetensors(path, SHAPES, fill=1)
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 1
    assert trainctl("checkpoint", "verify", "--renew", "a.safetensors").code == 0
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0
    os.truncate(path, 5000)
    assert trainctl("checkpoint", "verify", "--renew", "a.safetensors").code == 1


def test_what_lacks_a_file_is_not_whole_with_and_without_manifest(
    project: Path, trainctl: Trainctl
):
    path = checkpoints.trainer(project / "checkpoint-5", 5)
    assert trainctl("checkpoint", "verify", "checkpoint-5").code == 0
    (path / "scheduler.pt").unlink()
    answer = trainctl("checkpoint", "verify", "checkpoint-5")
    assert answer.code == 1
    assert "scheduler.pt is missing" in answer.out

    other = checkpoints.trainer(project / "checkpoint-6", 6)
    (other / "trainer_state.json").unlink()
    assert trainctl("checkpoint", "verify", "checkpoint-6").code == 1
    assert manifest.read(f"{project.parent}/state/manifests", str(other)) is None


def test_a_torch_zip_is_held_against_its_own_checksums(project: Path, trainctl: Trainctl):
    path = checkpoints.torch_zip(project / "a.pt", b"\x80\x02X\x05\x00\x00\x00helloq\x00.")
    data = path.read_bytes()
    flip(path, data.index(b"hello"))
    assert trainctl("checkpoint", "verify", "a.pt").code == 1


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_all_in_a_folder_are_verified(project: Path, trainctl: Trainctl, deep: tuple[str, ...]):
    for step in (1, 2, 3):
        checkpoints.trainer(project / f"out/checkpoint-{step}", step)
    os.truncate(project / "out/checkpoint-2/optimizer.pt", 40)
    answer = trainctl("checkpoint", "verify", "out", "--json", *deep)
    assert answer.code == 1
    whole = {os.path.basename(one["path"]): one["whole"] for one in answer.data["checkpoints"]}
    assert whole == {"checkpoint-1": True, "checkpoint-2": False, "checkpoint-3": True}


def test_what_is_not_there_is_not_found(project: Path, trainctl: Trainctl):
    assert trainctl("checkpoint", "verify", "nothing.pt").code == 4


def test_a_pipe_and_an_empty_file_are_findings(project: Path, trainctl: Trainctl):
    os.mkfifo(project / "pipe.pt")
    (project / "empty.pt").touch()
    answer = trainctl("checkpoint", "verify", "pipe.pt", "empty.pt", "--json")
    assert answer.code == 1
    assert [one["whole"] for one in answer.data["checkpoints"]] == [False, False]


def test_a_damaged_manifest_is_none_and_is_made_anew(project: Path, trainctl: Trainctl):
    checkpoints.safetensors(project / "a.safetensors", SHAPES)
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0
    (filed,) = (project.parent / "state/manifests").iterdir()
    flip(filed, 60)
    (one,) = trainctl("checkpoint", "verify", "a.safetensors", "--json").data["checkpoints"]
    assert one["manifest_was_made"]


def test_a_store_in_a_folder_is_read_and_damage_in_it_found(project: Path, trainctl: Trainctl):
    from trainctl.kit.stores import opening, shelf

    path = checkpoints.safetensors(project / "run/step_7.safetensors", SHAPES)
    assert trainctl("checkpoint", "verify", "run").code == 0
    made = manifest.read(f"{project.parent}/state/manifests", str(path))
    assert made is not None
    store = opening.open_store(f"{project}/store", {}, {})
    key = shelf.push(store, made, progress=lambda count: None).key

    (row,) = trainctl("checkpoint", "list", "store", "--json").data["checkpoints"]
    assert (row["where"], row["step"], row["verified"]) == ("store", 7, True)
    (one,) = trainctl("checkpoint", "verify", "store", "--json").data["checkpoints"]
    assert one["whole"]
    assert one["format"] == "safetensors"
    assert trainctl("checkpoint", "info", f"store/{key}", "--json").data["verified"]

    flip(project / "store" / key / "data/step_7.safetensors", 3_000_000)
    (one,) = trainctl("checkpoint", "verify", "store", "--json").data["checkpoints"]
    assert one["findings"][0]["tensors"] == ["net.0.weight", "net.1.weight"]


def test_of_an_unknown_format_nothing_is_claimed(project: Path, trainctl: Trainctl):
    (project / "train.py").write_text("print('hello')")
    answer = trainctl("checkpoint", "verify", "train.py")
    assert answer.code == 0
    assert "hashed" in answer.out
    assert "its format is not known" in answer.out
    assert "whole" not in answer.out
    assert "by manifest" in trainctl("checkpoint", "verify", "train.py").out


def test_a_folder_of_anything_is_not_taken_for_a_checkpoint(project: Path, trainctl: Trainctl):
    (project / "letters").mkdir()
    (project / "letters/one.txt").write_text("private")
    answer = trainctl("checkpoint", "verify", "letters")
    assert (answer.code, "there is no checkpoint in letters" in answer.err) == (4, True)
    assert not (project.parent / "state/manifests").exists()


def test_what_is_cut_is_not_offered_to_be_taken_as_right(project: Path, trainctl: Trainctl):
    path = checkpoints.safetensors(project / "a.safetensors", SHAPES)
    trainctl("checkpoint", "verify", "a.safetensors")
    os.truncate(path, path.stat().st_size - 4)
    answer = trainctl("checkpoint", "verify", "a.safetensors")
    assert "NOT WHOLE" in answer.out
    assert "--renew" not in answer.out
    assert "trainctl resume" not in answer.err
