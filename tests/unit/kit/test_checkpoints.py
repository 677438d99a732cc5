"""Checkpoints by name, and whole ones told from those that a crash cut short."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import need
from trainctl.kit import checkpoints, completeness
from trainctl.kit.checkpoints import Found


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step-30.pt", 30),
        ("step_30.safetensors", 30),
        ("checkpoint-500", 500),
        ("ckpt-7.index", 7),
        ("ckpt_7.pth.tar", 7),
        ("model_1200.npz", 1200),
        ("epoch=3-step=1500.ckpt", 1500),
        ("epoch=3-step=1500-v1.ckpt", 1500),
        ("epoch-3.pkl", 3),
        ("global_step1000", 1000),
        ("iter_0000100", 100),
        ("net-12.msgpack", 12),
        ("12.keras", 12),
        ("best.h5", None),
        ("model.pt", None),
        ("last.ckpt", None),
        ("step-" + "9" * 40 + ".pt", int("9" * 18)),
    ],
)
def test_a_name_tells_its_step(name: str, step: int | None) -> None:
    assert checkpoints.step_of(name) == step


@given(st.text(max_size=50))
def test_any_name_is_answered(name: str) -> None:
    checkpoints.step_of(name)
    checkpoints.is_checkpoint_name(name, is_dir=True)
    checkpoints.is_checkpoint_name(name, is_dir=False)


@pytest.mark.parametrize("suffix", checkpoints.SUFFIXES)
def test_every_suffix_is_a_checkpoint_unless_it_is_unfinished(suffix: str) -> None:
    assert checkpoints.is_checkpoint_name(f"model{suffix}", is_dir=False)
    for name in (f".model{suffix}", f"model{suffix}.tmp", f"model{suffix}.partial"):
        assert not checkpoints.is_checkpoint_name(name, is_dir=False)


@pytest.mark.parametrize(
    "name",
    ["checkpoint-5", "step_5", "global_step5", "epoch=1-step=5", "epoch=1-step=5.ckpt", "iter_5"],
)
def test_a_folder_of_a_known_convention_is_a_checkpoint(name: str) -> None:
    assert checkpoints.is_checkpoint_name(name, is_dir=True)
    assert not checkpoints.is_checkpoint_name(f"{name}-notes", is_dir=True)


def npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", bytes(range(256)) * 4)
        archive.writestr("b.npy", inner_zip())
    return buffer.getvalue()


def inner_zip() -> bytes:
    """A zip stored within the zip ends with an end record of its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", b"x" * 10)
    return buffer.getvalue()


def safetensors() -> bytes:
    header = {
        "__metadata__": {"step": "5"},
        "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [16, 32]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(32))


WHOLE = {"a.npz": npz(), "a.safetensors": safetensors(), "a.pt": npz(), "a.keras": npz()}


def look(path: Path) -> Found:
    (found,) = checkpoints.scan([str(path.parent)])
    return found


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_proves_its_end_is_whole_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WHOLE[name])
    assert completeness.is_complete(look(tmp_path / name), writers_alive=True)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_is_never_whole(tmp_path: Path, name: str) -> None:
    whole = WHOLE[name]
    for size in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:size])
        found = look(tmp_path / name)
        assert not completeness.is_complete(found, writers_alive=False), size


@given(st.binary(max_size=200), st.sampled_from(checkpoints.SUFFIXES))
def test_any_content_is_answered(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("here") / f"model{suffix}"
    path.write_bytes(data)
    completeness.is_complete(look(path), writers_alive=False)


HEADERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "data_offsets", "__metadata__"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(HEADERS)
def test_a_hostile_safetensors_header_is_answered(
    tmp_path_factory: pytest.TempPathFactory, header: object
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path_factory.mktemp("here") / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    completeness.is_complete(look(path), writers_alive=False)


def test_a_safetensors_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 1 << 33))
        file.truncate(1 << 34)
    began = time.process_time()
    assert not completeness.is_complete(look(path), writers_alive=True)
    assert time.process_time() - began < 1


@need.module("torch")
def test_what_torch_writes_is_whole_and_its_beginning_is_not(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "step-1.pt"
    torch.save({"weights": torch.zeros(1000), "step": 1}, path)
    assert completeness.is_complete(look(path), writers_alive=True)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert not completeness.is_complete(look(path), writers_alive=False), size


@need.module("safetensors")
def test_what_safetensors_writes_is_whole(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros((3, 4)), "b": np.ones(2)}, tmp_path / "step-1.safetensors")
    np.savez(tmp_path / "step-2.npz", a=np.zeros(100))
    found = checkpoints.scan([str(tmp_path)])
    assert [completeness.is_complete(one, writers_alive=True) for one in found] == [True, True]


def test_what_proves_nothing_must_be_quiet_while_a_writer_lives(tmp_path: Path) -> None:
    (tmp_path / "a.msgpack").write_bytes(b"anything")
    found = look(tmp_path / "a.msgpack")
    now = found.mtime + 1
    assert not completeness.is_complete(found, writers_alive=True, now=now)
    assert completeness.is_complete(found, writers_alive=True, now=now + 2)
    assert completeness.is_complete(found, writers_alive=False, now=now)


def test_a_folder_is_whole_when_all_in_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-5"
    folder.mkdir()
    assert not completeness.is_complete(look(folder), writers_alive=False)
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "done").touch()
    found = look(folder)
    assert (found.step, found.is_dir, found.size) == (5, True, len(safetensors()))
    assert completeness.is_complete(found, writers_alive=False)
    (folder / "optimizer.pt").write_bytes(npz()[:-10])
    assert not completeness.is_complete(look(folder), writers_alive=False)
    (folder / "optimizer.pt").rename(folder / "optimizer.pt.tmp")
    assert not completeness.is_complete(look(folder), writers_alive=False)


def test_what_changed_before_is_not_this_runs(tmp_path: Path) -> None:
    for number, at in ((1, 1000), (2, 3000), (3, 2000)):
        path = tmp_path / f"step-{number}.pt"
        path.write_bytes(npz())
        os.utime(path, (at, at))
    assert [one.step for one in checkpoints.scan([str(tmp_path)], since=2000)] == [3, 2]


def test_links_lead_to_files_once_and_into_no_folder(tmp_path: Path) -> None:
    (tmp_path / "step-1.npz").write_bytes(npz())
    (tmp_path / "last.npz").symlink_to("step-1.npz")
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    (tmp_path / "gone.pt").symlink_to("nowhere.pt")
    (tmp_path / "checkpoint-9").symlink_to("/", target_is_directory=True)
    (tmp_path / "again").symlink_to(".", target_is_directory=True)
    (found,) = checkpoints.scan([str(tmp_path)])
    assert found.size == len(npz())


def test_what_is_no_file_is_no_checkpoint_and_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "step-1.pt")
    assert checkpoints.scan([str(tmp_path)]) == []
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "a.npz").write_bytes(npz())
    assert completeness.is_complete(look(folder), writers_alive=False)


def test_an_unreadable_or_absent_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert checkpoints.scan([str(tmp_path / "none"), str(tmp_path / "file")]) == []


def test_only_so_deep_and_so_much_is_looked_at(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["a"] * (checkpoints.DEPTH - 1))
    deep.mkdir(parents=True)
    (deep / "step-1.npz").write_bytes(npz())
    (deep / "b").mkdir()
    (deep / "b" / "step-2.npz").write_bytes(npz())
    assert [one.step for one in checkpoints.scan([str(tmp_path)])] == [1]


def test_what_is_pruned_while_we_look_is_not_there(tmp_path: Path) -> None:
    """A trainer that keeps the last one only, as fast as it can."""
    over = threading.Event()

    def keep_the_last() -> None:
        number = 0
        while not over.is_set():
            number += 1
            folder = tmp_path / f"checkpoint-{number}"
            folder.mkdir()
            (folder / "a.npz").write_bytes(npz())
            if number > 1:
                (tmp_path / f"checkpoint-{number - 1}" / "a.npz").unlink()
                (tmp_path / f"checkpoint-{number - 1}").rmdir()

    trainer = threading.Thread(target=keep_the_last)
    trainer.start()
    try:
        for _ in range(100):
            for found in checkpoints.scan([str(tmp_path)]):
                completeness.is_complete(found, writers_alive=True)
    finally:
        over.set()
        trainer.join()
    last = checkpoints.scan([str(tmp_path)])[-1]
    assert completeness.is_complete(last, writers_alive=False)
