"""Manifests: what is hashed once is told apart from everything else, and damage is located."""

from __future__ import annotations

import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.kit import events, hashing, manifest
from trainctl.kit.manifest import About, ChangedError, Damage

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of three files, one of them in a folder below."""
    made = tmp_path / "checkpoint-7"
    (made / "deep").mkdir(parents=True)
    (made / "model.bin").write_bytes(os.urandom(3 * MIB + 5))
    (made / "deep/state.json").write_text('{"step": 7}')
    (made / "empty").touch()
    return made


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_it_holds_what_sha256sum_and_crc32_say_of_every_file(folder: Path):
    made = manifest.make(str(folder))
    assert [record.path for record in made.files] == ["deep/state.json", "empty", "model.bin"]
    for record in made.files:
        data = (folder / record.path).read_bytes()
        assert record.size == len(data)
        assert record.sha256 == hashlib.sha256(data).hexdigest()
        assert record.crc32 == zlib.crc32(data)
        cut = [data[at : at + record.block_bytes] for at in range(0, len(data), MIB)]
        assert record.blocks == [zlib.crc32(block) for block in cut]
    assert (made.about.step, made.is_dir) == (7, True)


def test_equal_content_has_equal_identity_wherever_it_lies(folder: Path, tmp_path: Path):
    other = tmp_path / "elsewhere"
    folder.rename(other)
    before = manifest.make(str(other))
    other.rename(folder)
    assert manifest.make(str(folder)).id == before.id
    flip(folder / "deep/state.json", 0)
    assert manifest.make(str(folder)).id != before.id


def test_what_is_filed_is_found_by_path_and_through_links(folder: Path, tmp_path: Path):
    about = About("train-1", 2, 7, {"loss": 0.5}, "ab" * 16)
    made = manifest.make(str(folder), about)
    manifest.write(str(tmp_path / "manifests"), made)
    link = tmp_path / "latest"
    link.symlink_to(folder)
    assert manifest.read(str(tmp_path / "manifests"), str(link)) == made
    manifest.forget(str(tmp_path / "manifests"), str(link))
    assert manifest.read(str(tmp_path / "manifests"), str(folder)) is None
    manifest.forget(str(tmp_path / "manifests"), str(link))


def test_it_stands_until_anything_is_written(folder: Path):
    made = manifest.make(str(folder))
    assert manifest.stands(made, str(folder))
    (folder / "more").touch()
    assert not manifest.stands(made, str(folder))
    assert manifest.check(made, str(folder)) == [Damage("more", "was added since")]
    (folder / "more").unlink()
    (folder / "empty").unlink()
    assert manifest.check(made, str(folder)) == [Damage("empty", "is missing")]


def test_damage_is_located_to_the_block_also_where_times_and_sizes_agree(folder: Path):
    made = manifest.make(str(folder))
    path = folder / "model.bin"
    seen = path.stat()
    flip(path, 2 * MIB + 17)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert manifest.stands(made, str(folder))
    told = Damage("model.bin", "differs from its manifest", 2 * MIB, 3 * MIB)
    assert manifest.check(made, str(folder)) == [told]
    flip(path, 3 * MIB + 1)
    assert manifest.check(made, str(folder)) == [told._replace(end=3 * MIB + 5)]


def test_a_cut_file_is_told_by_its_size(folder: Path):
    made = manifest.make(str(folder))
    os.truncate(folder / "model.bin", 100)
    told = Damage("model.bin", f"has 100 bytes, not {3 * MIB + 5}", 100, 3 * MIB + 5)
    assert manifest.check(made, str(folder)) == [told]


def test_a_checkpoint_that_grows_while_it_is_read_has_no_manifest(folder: Path):
    grown: list[int] = []

    def grow(_count: int) -> None:
        if not grown:
            grown.append(1)
            with (folder / "model.bin").open("ab") as file:
                file.write(b"more")

    with pytest.raises(ChangedError, match="written to while it was read"):
        manifest.make(str(folder), pace=grow)


def test_a_file_that_is_written_in_place_meanwhile_has_no_manifest(folder: Path):
    """Same size, same inode: only its time tells."""

    def touch(_count: int) -> None:
        os.utime(folder / "deep/state.json", (1, 1))

    with pytest.raises(ChangedError):
        manifest.make(str(folder), pace=touch)


def test_what_is_no_file_is_refused_and_links_to_folders_are_not_followed(folder: Path):
    (folder / "loop").symlink_to(folder)
    assert "loop" not in manifest.stats(str(folder))
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="neither a file nor a folder"):
        manifest.make(str(folder))
    with pytest.raises(FileNotFoundError):
        manifest.make(str(folder / "absent"))


def test_a_file_may_be_a_checkpoint_and_a_link_inside_one_counts_for_its_file(tmp_path: Path):
    (tmp_path / "blob").write_bytes(b"data")
    folder = tmp_path / "step_3"
    folder.mkdir()
    (folder / "model.pt").symlink_to(tmp_path / "blob")
    (record,) = manifest.make(str(folder)).files
    single = manifest.make(str(tmp_path / "blob"))
    assert (single.is_dir, [file.path for file in single.files]) == (False, [""])
    assert single.files[0]._replace(path=record.path) == record


@given(st.integers(0, 3000), st.integers(0, 7))
def test_any_flipped_bit_of_the_manifest_itself_is_noticed(at: int, bit: int):
    records = [manifest.FileRecord("a", 1, 2, "ab" * 32, 3, MIB, [3])]
    about = About("run", 1, 5, {"loss": 0.25}, None)
    made = manifest.Manifest(manifest.identity(records), "/a", False, 1.5, records, about)
    data = bytearray(manifest.encode(made))
    assert manifest.decode(bytes(data)) == made
    data[at % (len(data) - 1)] ^= 1 << bit
    assert manifest.decode(bytes(data)) is None


def test_a_manifest_whose_hashes_were_exchanged_is_none(folder: Path):
    made = manifest.make(str(folder))
    other = made._replace(files=[record._replace(sha256="0" * 64) for record in made.files])
    assert manifest.decode(manifest.encode(other)) is None


def test_a_manifest_that_a_newer_kit_wrote_is_none_of_ours():
    assert manifest.decode(events.encode({"schema": manifest.SCHEMA + 1})) is None
    assert manifest.decode(events.encode({"schema": manifest.SCHEMA, "files": []})) is None


@pytest.mark.parametrize(
    ("size", "block"),
    [(0, MIB), (1024 * MIB, MIB), (1024 * MIB + 1, 2 * MIB), (40 << 30, 64 * MIB)],
)
def test_a_file_has_at_most_1024_blocks(size: int, block: int):
    assert hashing.block_size(size) == block


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLACES = st.sampled_from([
    *(("schema", "id", "path", "is_dir", "made", "files", "about")),
    *(f"files.{name}" for name in hashing.FileRecord._fields),
    *(f"about.{name}" for name in About._fields),
])  # fmt: skip


def whole() -> dict[str, Any]:
    records = [hashing.FileRecord("a", 1, 2, "ab" * 32, 3, MIB, [3])]
    about = About("run", 1, 5, {"loss": math.nan}, None)
    made = manifest.Manifest(manifest.identity(records), "/c", True, 1.5, records, about)
    value = events.decode(manifest.encode(made).rstrip())
    assert value is not None
    return value


@given(place=PLACES, put=ANY)
def test_values_of_any_type_anywhere_are_taken_as_promised_or_not_at_all(place: str, put: object):
    value = whole()
    outer, _, inner = place.partition(".")
    if not inner:
        value[outer] = put
    else:
        (value[outer][0] if outer == "files" else value[outer])[inner] = put
    made = manifest.decode(events.encode(value))
    if made is not None:
        assert manifest.decode(manifest.encode(made)) is not None
        assert math.isfinite(made.made)
        assert [type(made.files[0].path), type(made.files[0].crc32)] == [str, int]
        assert type(made.about.step) in {int, type(None)}


@pytest.mark.parametrize(
    ("place", "put"),
    [
        ("schema", "1"), ("schema", True), ("made", math.nan), ("made", math.inf),
        ("is_dir", 1), ("files", {}), ("about", []), ("about", {"more": 1}), ("path", 7),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_no_manifest(place: str, put: object):
    assert manifest.decode(events.encode(whole())) is not None
    assert manifest.decode(events.encode({**whole(), place: put})) is None


@pytest.mark.parametrize(
    ("place", "put"),
    [
        ("size", -1), ("size", True), ("crc32", 1 << 32), ("block_bytes", 0), ("blocks", []),
        ("blocks", ["3"]), ("sha256", "AB" * 32), ("mtime_ns", 1e9), ("path", None),
    ],
)  # fmt: skip
def test_a_file_that_is_not_well_described_makes_it_none(place: str, put: object):
    value = whole()
    value["files"][0][place] = put
    assert manifest.decode(events.encode(value)) is None
