"""Distributed checkpoints whose metadata, made by torch's own classes, tells what is not so."""

from __future__ import annotations

import pickle
import time

import pytest

from tests import need
from tests.fakes.sources import MemorySource
from trainctl.checkpoints.formats import registry

pytestmark = need.module("torch")
FILE = "__0_0.distcp"


def checkpoint(places: list[tuple[str, int, int]], size: int = 100) -> MemorySource:
    """A tensor for each place: file, first byte, length."""
    import torch
    from torch.distributed.checkpoint import filesystem, metadata

    shape = torch.Size([2, 2])
    chunk = metadata.ChunkStorageMetadata(torch.Size([0, 0]), shape)
    tensor = metadata.TensorStorageMetadata(metadata.TensorProperties(), shape, [chunk])
    names = [f"w{number}" for number in range(len(places))]
    data = {
        metadata.MetadataIndex(name, torch.Size([0, 0])): filesystem._StorageInfo(*place)
        for name, place in zip(names, places, strict=True)
    }
    told = metadata.Metadata(dict.fromkeys(names, tensor), storage_data=data)
    return MemorySource("step-5", {".metadata": pickle.dumps(told, 4), FILE: bytes(size)})


def findings(places: list[tuple[str, int, int]]) -> str:
    return "\n".join(registry.inspect(checkpoint(places)).findings)


def test_an_honest_one_is_read():
    seen = registry.inspect(checkpoint([(FILE, 0, 50), (FILE, 50, 50)]))
    assert (seen.findings, seen.parameters) == ((), 8)


@pytest.mark.parametrize(
    "place", [(FILE, 60, 50), (FILE, -10, 20), (FILE, 20, -10), (FILE, 0, 9**20)]
)
def test_bytes_that_are_not_there_are_told(place: tuple[str, int, int]):
    assert "are not all there" in findings([place])


@pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "__9_0.distcp", ""])
def test_a_file_that_is_not_its_own_is_not_opened(file: str):
    assert "is missing" in findings([(file, 0, 10)])


def test_entries_that_share_bytes_are_not_read_again_and_again():
    source = checkpoint([(FILE, 0, 100)] * 5_000)
    began = time.process_time()
    assert any("tells of 500000 bytes" in each for each in registry.inspect(source).findings)
    source.read_bytes = 0
    registry.recognise(source).verify(source)
    assert source.read_bytes < 5_000_000
    assert time.process_time() - began < 5
