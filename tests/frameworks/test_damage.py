"""Real checkpoints, cut, flipped and with files gone: told, or nothing in the format could tell.

What no structure and no checksum of its own can tell, a manifest does: these are the limits that
docs/checkpoints.md names.
"""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.altered import Altered
from tests.frameworks.conftest import Make
from tests.frameworks.table import MADE
from trainctl.checkpoints.formats import registry
from trainctl.checkpoints.source import LocalSource, Source

EACH = 6  # alterations of a kind, a file
UNTOLD_CUTS = {
    "torch-legacy": r"",  # opaque: raw numbers to its end
    "orbax": r"(.*/)?commit_success\.txt|.*/manifest\.ocdbt|.*/d/[0-9a-f]+",
    "huggingface": r"README\.md",
    "pretrained": r"README\.md",
}
UNTOLD_LOSSES = {
    "orbax": r".*",  # its own index of files is compressed
    "huggingface": r".*\.json|README\.md|training_args\.bin",
    "pretrained": r"(generation_|adapter_)?config\.json|README\.md",
    "accelerate": r"scheduler\.bin|custom_checkpoint_0\.pkl",
}
each = pytest.mark.parametrize(("maker", "name", "format"), MADE)


def flaws(source: Source) -> list[str]:
    return [*registry.inspect(source).findings, *registry.recognise(source).verify(source)]


def files_of(path: Path) -> Iterator[tuple[LocalSource, str, bytes]]:
    with LocalSource(str(path)) as source:
        for file, size in source.files().items():
            yield source, file, source.read(file, 0, size)


def may(untold: dict[str, str], format: str, file: str) -> bool:
    return format in untold and re.fullmatch(untold[format], file) is not None


@each
def test_a_file_that_is_cut_is_told(made_by: Make, maker: str, name: str, format: str) -> None:
    for source, file, data in files_of(made_by(maker) / name):
        for size in random.Random(file).choices(range(len(data)), k=EACH if data else 0):
            told = flaws(Altered(source, file, data[:size]))
            assert told or may(UNTOLD_CUTS, format, file), (file, size)


@each
def test_a_file_that_is_gone_is_told(made_by: Make, maker: str, name: str, format: str) -> None:
    path = made_by(maker) / name
    for source, file, _ in files_of(path):
        if path.is_dir():
            told = flaws(Altered(source, file, None))
            assert told or may(UNTOLD_LOSSES, format, file), file


@each
def test_a_bit_that_flips_is_told_where_a_checksum_covers_it(
    made_by: Make, maker: str, name: str, format: str
) -> None:
    """In a zip of torch's or Keras' that is every byte which anyone reads."""
    for source, file, data in files_of(made_by(maker) / name):
        chance = random.Random(file)
        for at in chance.choices(range(len(data)), k=EACH if data else 0):
            flipped = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
            told = flaws(Altered(source, file, flipped))
            if not told and data.startswith(b"PK\3\4") and not file.endswith(".distcp"):
                assert contents(flipped) == contents(data), (file, at)


@pytest.mark.parametrize("path", [b"../../pass.wd", b"/etc/shadow.x"])
def test_a_path_that_leads_elsewhere_is_not_followed(made_by: Make, path: bytes) -> None:
    with LocalSource(str(made_by("dcp") / "step-2")) as source:
        data = source.read(".metadata", 0, source.files()[".metadata"])
        aside = data.replace(b"__0_0.distcp", path[:12])
        told = flaws(Altered(source, ".metadata", aside))
        assert any(f"{path[:12].decode()} is missing" in finding for finding in told)


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
