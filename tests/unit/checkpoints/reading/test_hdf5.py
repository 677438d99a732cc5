"""HDF5 without its library: the same datasets, and an end to whatever a hostile file claims."""

from __future__ import annotations

import io
import random
import struct
import time
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import need
from tests.fakes.sources import MemorySource
from trainctl.checkpoints.reading import hdf5
from trainctl.checkpoints.reading.zips import Span


def read(data: bytes) -> hdf5.Contents:
    return hdf5.read(Span.whole(MemorySource("x.h5", {"": data})))


def written(libver: str, count: int = 3) -> bytes:
    """Groups, many and few links, scalars, a long attribute, chunks and filters."""
    import numpy as np

    h5py = import_module("h5py")  # types are checked without it, too
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        for number in range(count):
            file[f"layers/dense_{number}/vars/0"] = np.ones((number + 1, 4), "float32")
            file[f"layers/dense_{number}/vars/1"] = np.arange(4)
        file["kinds/half"] = np.zeros(3, "float16")
        file["kinds/flag"] = np.array([True, False])
        file["kinds/unsigned"] = np.zeros((2, 2), "uint8")
        file["kinds/empty"] = np.zeros((0, 3))
        file["scalar"] = np.int32(7)
        file["text"] = "hello"
        file.create_dataset("packed", data=np.ones((50, 50)), chunks=(10, 10), compression="gzip")
        file.attrs["config"] = "x" * 5_000
        file["brain"] = np.zeros((2, 2), "V2")
        file["brain"].attrs["dtype"] = "bfloat16"
    return buffer.getvalue()


@need.module("h5py")
@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_datasets_are_what_hdf5_says(libver: str):
    h5py = import_module("h5py")
    data = written(libver)
    seen = read(data)
    assert seen.findings == []
    with h5py.File(io.BytesIO(data)) as file:
        for name, array in seen.arrays.items():
            dataset = file[name]
            assert isinstance(dataset, h5py.Dataset)
            assert array.shape == dataset.shape
            assert array.start == (dataset.id.get_offset() if array.bytes else None)
            expected = {"text": "", "brain": "bfloat16"}.get(name, str(dataset.dtype))
            assert array.dtype == expected
    assert {"layers/dense_2/vars/0", "scalar", "packed", "brain"} <= seen.arrays.keys()


@need.module("h5py")
def test_a_group_of_thousands_is_read_whole():
    assert len(read(written("earliest", 2_000)).arrays) == 4_008


@need.module("h5py")
def test_a_group_that_is_kept_in_a_way_we_do_not_read_is_named():
    seen = read(written("latest", 30))
    assert seen.unread == ("layers",)
    assert seen.findings == []


@need.module("h5py")
def test_a_file_cut_anywhere_is_told():
    data = written("earliest")
    for size in random.Random(0).choices(range(len(data)), k=200):
        assert read(data[:size]).findings, size


@need.module("h5py")
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_flipped_bit_is_answered(libver: str):
    data = written(libver)
    chance = random.Random(1)
    for _ in range(400):
        flipped = bytearray(data)
        flipped[chance.randrange(6_000)] ^= 1 << chance.randrange(8)
        read(bytes(flipped))


def old_superblock(root: int, size: int) -> bytes:
    head = hdf5.MAGIC + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    return head + struct.pack("<QQQQQQ", 0, ~0 & (2**64 - 1), size, ~0 & (2**64 - 1), 0, root)


def header(*messages: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("<HHB3x", kind, len(data), 0) + data for kind, data in messages)
    return struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body


@pytest.mark.parametrize(
    "message",
    [
        (0x10, struct.pack("<QQ", 112, 24)),  # a continuation that is itself
        (0x11, struct.pack("<QQ", 144, 200)),  # links kept in a tree that is its own child
    ],
)
def test_what_points_to_itself_has_an_end(message: tuple[int, bytes]):
    data = bytearray(old_superblock(96, 4096).ljust(4096, b"\0"))
    block = header(message)
    data[96 : 96 + len(block)] = block
    tree = b"TREE" + struct.pack("<BBHQQ", 0, 1, 60_000, 0, 0) + struct.pack("<QQ", 0, 144) * 40
    data[144 : 144 + len(tree)] = tree
    heap = b"HEAP" + struct.pack("<B3xQQQ", 0, 1 << 60, 0, 300)
    data[900 : 900 + len(heap)] = heap
    began = time.process_time()
    assert read(bytes(data)).findings
    assert time.process_time() - began < 5


def test_a_dataset_larger_than_any_disk_is_none():
    space = bytes([1, 2, 0, 0, 0, 0, 0, 0]) + struct.pack("<QQ", 1 << 40, 1 << 40)
    kind = bytes([0x10, 8, 0, 0]) + struct.pack("<I", 4)
    layout = bytes([3, 1]) + struct.pack("<QQ", 0, 0)
    block = header((0x01, space), (0x03, kind), (0x08, layout))
    data = old_superblock(96, 96 + len(block)).ljust(96, b"\0") + block
    assert any("larger than any disk" in finding for finding in read(data).findings)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes):
    read(data)
    assert read(old_superblock(96, 96) + data) is not None
