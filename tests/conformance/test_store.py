"""What every store promises, against each: a folder, a simulated S3 service, a real one."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conformance import stores
from trainctl.kit.stores.arriving import Expected
from trainctl.kit.stores.growing import beside
from trainctl.kit.stores.protocol import (
    AbsentError,
    Blocks,
    CorruptError,
    ExistsError,
    Store,
    StoreError,
)

MIB = 1 << 20
ODD = ("a b/ü+&=?#%25~'(x)*", "a b/.hidden", "a b/[1]:@$,;!", "a b/\u65e5\u672c/\U0001f600")


@pytest.fixture(params=["folder", "simulated", "seaweed"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    if request.param == "seaweed":
        yield stores.seaweed(request.getfixturevalue("endpoint"))
    else:
        with stores.QUICK[request.param](tmp_path) as made:
            yield made


def a_file(folder: Path, size: int) -> tuple[str, bytes]:
    data = os.urandom(size)
    path = folder / f"file-{size}"
    path.write_bytes(data)
    return str(path), data


def growing_in(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".partial")]


def growing_for(path: Path, data: bytes) -> Path:
    """Where this content grows on its way to there."""
    return Path(beside(str(path), Expected("", len(data), zlib.crc32(data)).content))


def keys(store: Store, prefix: str = "", *, folders: bool = False) -> list[str]:
    return [item.key for item in store.list(prefix, folders=folders)]


def test_what_was_written_is_read_in_whole_and_in_part(store: Store) -> None:
    store.write("a/b", b"hello")
    assert store.read("a/b") == b"hello"
    assert store.read("a/b", 1, 3) == b"ell"
    assert store.read("a/b", 3) == b"lo"
    assert store.read("a/b", 3, 100) == b"lo"
    assert store.read("a/b", 5) == b""
    assert store.read("a/b", 99, 1) == b""


def test_what_is_not_there_is_absent(store: Store) -> None:
    assert store.head("nothing") is None
    assert keys(store) == []
    with pytest.raises(AbsentError):
        store.read("nothing")
    with pytest.raises(AbsentError):
        store.read("nothing", 0, 10)


def test_a_folder_is_no_key(store: Store) -> None:
    store.write("a/b", b"x")
    assert store.head("a") is None
    with pytest.raises(AbsentError):
        store.read("a")


def test_a_head_tells_size_time_and_a_tag_that_changes_with_the_content(store: Store) -> None:
    tag = store.write("k", b"one")
    first = store.head("k")
    assert first is not None
    assert (first.size, first.etag) == (3, tag)
    assert abs(first.modified - time.time()) < 300
    store.write("k", b"two!")
    second = store.head("k")
    assert second is not None
    assert second.size == 4
    assert second.etag != first.etag


@pytest.mark.parametrize("key", ODD)
def test_odd_keys_are_kept_as_they_are(store: Store, key: str) -> None:
    store.write(key, key.encode())
    assert store.read(key) == key.encode()
    assert keys(store) == [key]
    assert keys(store, key[:5]) == [key]
    store.delete([key])
    assert keys(store) == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0b", "\udcff"]
)
def test_keys_that_lead_elsewhere_are_refused(store: Store, key: str) -> None:
    with pytest.raises(StoreError):
        store.write(key, b"x")
    assert keys(store) == []


def test_lists_are_in_order_over_pages_and_by_prefix(store: Store) -> None:
    names = ["a-b", "a/c", "a/d/e", "a0", "b/1", "b/10", "b/2", "b/\u00e4"]
    for name in reversed(names):
        store.write(name, name.encode())
    assert keys(store) == sorted(names, key=str.encode)
    assert keys(store, "a/") == ["a/c", "a/d/e"]
    assert keys(store, "b/1") == ["b/1", "b/10"]
    assert keys(store, "nothing/") == []
    assert [item.size for item in store.list("b/1")] == [3, 4]


def test_folders_are_one_level(store: Store) -> None:
    for name in ("runs/x/1/data/a", "runs/x/2/data/a", "runs/y", "runs/z/1"):
        store.write(name, b"x")
    assert keys(store, "runs/", folders=True) == ["runs/x/", "runs/y", "runs/z/"]
    assert keys(store, "runs/x/", folders=True) == ["runs/x/1/", "runs/x/2/"]
    store.delete(["runs/z/1"])
    assert keys(store, "runs/z/", folders=True) == []  # SeaweedFS lists it above for a while


def test_a_put_that_was_to_create_refuses_a_taken_key(store: Store) -> None:
    store.write("k", b"first", if_absent=True)
    with pytest.raises(ExistsError):
        store.write("k", b"second", if_absent=True)
    assert store.read("k") == b"first"


def test_of_many_who_create_one_wins(store: Store) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.write("lease", str(number).encode(), if_absent=True)
        except ExistsError:
            return
        won.append(number)

    crew = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert len(won) == 1
    assert store.read("lease") == str(won[0]).encode()


def test_a_put_over_another_version_than_was_meant_is_refused(store: Store) -> None:
    first = store.write("k", b"1")
    second = store.write("k", b"2", if_match=first)
    with pytest.raises(ExistsError):
        store.write("k", b"3", if_match=first)
    with pytest.raises(ExistsError):
        store.write("other", b"3", if_match=second)
    assert store.read("k") == b"2"


@pytest.mark.parametrize("size", [0, 1, 3 * MIB, 17 * MIB + 5])
def test_files_go_there_and_come_back(store: Store, tmp_path: Path, size: int) -> None:
    path, data = a_file(tmp_path, size)
    sent: list[int] = []
    item = store.upload(path, "d/f", crc32=zlib.crc32(data), progress=sent.append)
    assert (item.key, item.size, item.crc32, sum(sent)) == ("d/f", size, zlib.crc32(data), size)
    back, came = str(tmp_path / "back"), []
    store.download("d/f", back, crc32=zlib.crc32(data), progress=came.append)
    assert Path(back).read_bytes() == data
    assert sum(came) == size
    assert not growing_in(tmp_path)


def test_blocks_that_are_known_are_believed_only_if_they_are_right(
    store: Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    sums = [zlib.crc32(data[start : start + MIB]) for start in range(0, 9 * MIB, MIB)]
    store.upload(path, "right", crc32=zlib.crc32(data), blocks=Blocks(MIB, sums))
    assert store.read("right") == data
    sums[4] ^= 1
    with pytest.raises(CorruptError):
        store.upload(path, "wrong", crc32=zlib.crc32(data) ^ 1, blocks=Blocks(MIB, sums))
    assert store.head("wrong") is None


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_a_file_of_another_checksum_is_not_stored(store: Store, tmp_path: Path, size: int) -> None:
    path, data = a_file(tmp_path, size)
    with pytest.raises(CorruptError):
        store.upload(path, "k", crc32=zlib.crc32(data) ^ 1)
    assert store.head("k") is None
    assert store.sweep("", time.time() + 60) == 0


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_what_comes_back_wrong_is_not_kept(store: Store, tmp_path: Path, size: int) -> None:
    path, _ = a_file(tmp_path, size)
    store.upload(path, "k")
    with pytest.raises(CorruptError):
        store.download("k", str(tmp_path / "back"), crc32=1)
    with pytest.raises(CorruptError):
        store.download("k", str(tmp_path / "back"), sha256="0" * 64)
    assert not (tmp_path / "back").exists()
    assert not growing_in(tmp_path)


def test_a_download_goes_on_from_what_is_there(store: Store, tmp_path: Path) -> None:
    path, data = a_file(tmp_path, 20 * MIB)
    store.upload(path, "k")
    growing = growing_for(tmp_path / "back", data)
    growing.write_bytes(data[: 15 * MIB])
    came: list[int] = []
    store.download("k", str(tmp_path / "back"), crc32=zlib.crc32(data), progress=came.append)
    assert (tmp_path / "back").read_bytes() == data
    assert came[0] == 15 * MIB


def test_a_download_begins_anew_where_what_is_there_is_something_else(
    store: Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 3 * MIB)
    store.upload(path, "k")
    growing = growing_for(tmp_path / "back", data)
    growing.write_bytes(b"something else")
    store.download("k", str(tmp_path / "back"), crc32=zlib.crc32(data))
    assert (tmp_path / "back").read_bytes() == data


def test_an_absent_key_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    with pytest.raises(AbsentError):
        store.download("nothing", str(tmp_path / "back"))
    assert os.listdir(tmp_path) in ([], ["store"])


def test_giving_up_leaves_nothing_under_the_key(store: Store, tmp_path: Path) -> None:
    path, data = a_file(tmp_path, 20 * MIB)

    def give_up(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.upload(path, "k", crc32=zlib.crc32(data), progress=give_up)
    assert store.head("k") is None
    assert keys(store) == []
    store.sweep("k", time.time() + 60)
    assert store.sweep("k", time.time() + 60) == 0


def test_a_file_that_cannot_be_read_is_an_error_of_this_machine(
    store: Store, tmp_path: Path
) -> None:
    for path in (tmp_path / "nothing", tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match=r"such file|not a file"):
            store.upload(str(path), "k")
    assert store.head("k") is None


def test_copies_are_made_within_the_store(store: Store, tmp_path: Path) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    store.upload(path, "one")
    assert store.copy("one", "deep/two")
    assert store.read("deep/two") == data
    store.delete(["one"])
    assert store.read("deep/two") == data
    with pytest.raises(AbsentError):
        store.copy("one", "three")


def test_deleting_twice_is_deleting_once(store: Store) -> None:
    names = [f"d/{number}" for number in range(5)]
    for name in names:
        store.write(name, b"x")
    store.delete([*names, "d/nothing"])
    store.delete(names)
    assert keys(store) == []
