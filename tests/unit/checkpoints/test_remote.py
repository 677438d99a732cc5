"""Only headers travel: how many requests it takes to know a checkpoint in a store."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.bucket import Bucket, error
from tests.fakes.troubles import store_in
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.remote import StoreSource
from trainctl.kit import manifest as manifests
from trainctl.kit.stores import shelf
from trainctl.kit.stores.protocol import DeniedError
from trainctl.kit.stores.s3 import S3Store

MIB = 1 << 20


@pytest.fixture
def bucket() -> Generator[Bucket]:
    with Bucket() as made:
        yield made


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    return store_in(bucket, [])


def safetensors(path: Path, count: int) -> Path:
    """A file of so many tensors of 1 MiB each."""
    header = {
        f"layer.{at}.weight": {
            "dtype": "F32",
            "shape": [512, 512],
            "data_offsets": [at * MIB, (at + 1) * MIB],
        }
        for at in range(count)
    }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(count * MIB))
    return path


def torch_zip(path: Path, size: int) -> Path:
    """What `torch.save({"step": 7})` writes, and a member that must not travel."""
    pickle = b"\x80\x02}q\x00X\x04\x00\x00\x00stepq\x01K\x07s."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", os.urandom(size))
        archive.writestr("archive/version", "3\n")
    return path


def test_a_safetensors_file_is_known_by_two_gets(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path = safetensors(tmp_path / "model.safetensors", 3)
    store.upload(str(path), "models/model.safetensors")
    bucket.seen.clear()
    found = registry.inspect(StoreSource(store, "models/model.safetensors"))
    assert [tensor.name for tensor in found.tensors][:1] == ["layer.0.weight"]
    assert found.parameters == 3 * 512 * 512
    assert found.findings == ()
    assert len(bucket.asked("GET")) <= 2
    assert bytes_fetched(bucket) < 600_000


def test_a_torch_zip_is_known_by_four_gets(bucket: Bucket, store: S3Store, tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "step_7.pt", 3 * MIB)
    key = shelf.push(store, manifests.make(str(path))).key
    bucket.seen.clear()
    source = StoreSource(store, key)
    found = registry.inspect(source)
    assert (source.name, found.step, found.findings) == ("step_7.pt", 7, ())
    assert len(bucket.asked("GET")) <= 4
    assert bytes_fetched(bucket) < 900_000


def bytes_fetched(bucket: Bucket) -> int:
    spans = [one.headers["range"][6:].split("-") for one in bucket.asked("GET")]
    lengths = [
        min(int(end) + 1, len(bucket.objects[one.key].data)) - int(start)
        for one, (start, end) in zip(bucket.asked("GET"), spans, strict=True)
    ]
    return sum(lengths)


def test_a_foreign_prefix_is_a_folder(bucket: Bucket, store: S3Store) -> None:
    for name in ("m/ckpt/a", "m/ckpt/sub/b", "m/ckpt-other/c"):
        store.write(name, name.encode())
    source = StoreSource(store, "m/ckpt")
    assert (source.name, source.is_dir) == ("ckpt", True)
    assert source.files() == {"a": 8, "sub/b": 12}
    assert source.read("sub/b", 2, 4) == b"ckpt"
    assert source.read("sub/b", 10, 100) == b"/b"
    assert source.read("sub/b", 12, 1) == b""
    with pytest.raises(FileNotFoundError):
        source.read("c", 0, 1)


def test_bytes_are_those_of_the_object_wherever_they_are_read(store: S3Store) -> None:
    data = os.urandom(MIB)
    store.write("k", data)
    source = StoreSource(store, "k")
    assert source.files() == {"": MIB}
    for start, length in ((0, 8), (8, 100_000), (MIB - 22, 22), (500_000, 300_000), (5, MIB)):
        assert source.read("", start, length) == data[start : start + length]


def test_a_store_s_error_comes_as_one_of_reading(bucket: Bucket, store: S3Store) -> None:
    bucket.trouble = lambda _: error(403, "AccessDenied")
    with pytest.raises(OSError, match="AccessDenied") as caught:
        StoreSource(store, "k").files()
    assert isinstance(caught.value.__cause__, DeniedError)
    bucket.trouble = lambda _: None
    with pytest.raises(FileNotFoundError):
        StoreSource(store, "nothing").files()
