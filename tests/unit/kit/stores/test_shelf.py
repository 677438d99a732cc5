"""Checkpoints in a store: whole or not there, never overwritten, never outside their place."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conformance import stores
from tests.fakes.bucket import Answer, Bucket, Seen, error
from tests.fakes.troubles import store_in
from trainctl.kit import manifest as manifests
from trainctl.kit.manifest import About, Manifest
from trainctl.kit.stores import shelf
from trainctl.kit.stores.growing import beside
from trainctl.kit.stores.layout import MANIFEST, data_key
from trainctl.kit.stores.protocol import (
    AbsentError,
    CorruptError,
    DeniedError,
    ExistsError,
    Store,
    StoreError,
)

MIB = 1 << 20


@pytest.fixture(params=["folder", "simulated"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    with stores.QUICK[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def bucket() -> Generator[Bucket]:
    with Bucket() as made:
        yield made


def a_folder(
    path: Path, about: About | None = None, *, weights: bytes | None = None, **sizes: int
) -> Manifest:
    path.mkdir(parents=True)
    (path / "sub").mkdir()
    (path / "sub" / "weights.bin").write_bytes(os.urandom(3000) if weights is None else weights)
    for name, size in sizes.items():
        (path / name).write_bytes(os.urandom(size))
    return manifests.make(str(path), about or About("run-1", 1, 400, {"loss": 0.5}))


def keys(store: Store, prefix: str = "") -> list[str]:
    return [item.key for item in store.list(prefix)]


def test_a_folder_goes_there_and_comes_back(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "checkpoint-400", state=10, empty=0)
    told: list[int] = []
    shelved = shelf.push(store, made, progress=told.append)
    assert shelved.key == f"runs/run-1/1-400-{made.id[:12]}"
    assert (shelved.size, shelved.files, shelved.id) == (3010, 3, made.id)
    assert sum(told) == 3010
    told.clear()
    back = shelf.pull(store, shelved.key, str(tmp_path / "b" / "back"), progress=told.append)
    assert sum(told) == 3010
    assert manifests.check(made, str(tmp_path / "b" / "back")) == []
    assert manifests.stands(back, str(tmp_path / "b" / "back"))
    assert back.about == made.about
    assert os.listdir(tmp_path / "b") == ["back"]
    times = [
        os.stat(tmp_path / name / "state").st_mtime_ns for name in ("checkpoint-400", "b/back")
    ]
    assert times[0] == times[1]


def test_a_file_goes_there_and_comes_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "step_7.pt").write_bytes(b"weights")
    made = manifests.make(str(tmp_path / "out" / "step_7.pt"))
    key = shelf.push(store, made).key
    assert key == f"runs/out/0-7-{made.id[:12]}"
    assert keys(store, key) == [f"{key}/data/step_7.pt", f"{key}/{MANIFEST}"]
    shelf.pull(store, key, str(tmp_path / "back.pt"))
    assert (tmp_path / "back.pt").read_bytes() == b"weights"


def test_pushing_and_pulling_twice_is_once(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "c", state=10)
    first = shelf.push(store, made)
    before = [(item.key, item.etag) for item in store.list()]
    assert shelf.push(store, made) == first
    assert [(item.key, item.etag) for item in store.list()] == before
    shelf.pull(store, first.key, str(tmp_path / "back"))
    shelf.pull(store, first.key, str(tmp_path / "back"))
    (tmp_path / "back" / "state").write_bytes(b"changed")
    with pytest.raises(ExistsError, match="something else"):
        shelf.pull(store, first.key, str(tmp_path / "back"))


def test_what_is_shelved_is_told_by_run_attempt_and_step(store: Store, tmp_path: Path) -> None:
    assert shelf.shelved(store) == []
    for run, attempt, step in (("b", 2, 5), ("a", 1, 10), ("b", 1, 9), ("b", 1, 10)):
        about = About(run, attempt, step)
        shelf.push(store, a_folder(tmp_path / f"{run}-{attempt}-{step}", about))
    told = [(one.run, one.attempt, one.step) for one in shelf.shelved(store)]
    assert told == [("a", 1, 10), ("b", 1, 9), ("b", 1, 10), ("b", 2, 5)]
    assert [one.run for one in shelf.shelved(store, "a")] == ["a"]
    assert shelf.shelved(store, "nobody") == []


def test_pins(store: Store, tmp_path: Path) -> None:
    key = shelf.push(store, a_folder(tmp_path / "c")).key
    shelf.pin(store, key)
    shelf.pin(store, key)
    assert shelf.shelved(store)[0].pinned
    shelf.unpin(store, key)
    shelf.unpin(store, key)
    assert not shelf.shelved(store)[0].pinned
    with pytest.raises(AbsentError):
        shelf.pin(store, f"runs/run-1/1-9-{'0' * 12}")


def test_discarding_leaves_nothing_and_touches_nothing_else(store: Store, tmp_path: Path) -> None:
    one = shelf.push(store, a_folder(tmp_path / "c"))
    other = shelf.push(store, a_folder(tmp_path / "d", About("run-1", 1, 401)))
    shelf.pin(store, one.key)
    shelf.discard(store, one.key)
    shelf.discard(store, one.key)
    assert keys(store, one.key) == []
    assert shelf.shelved(store) == [other]


@pytest.mark.parametrize(
    "key", ["", "runs", "runs/run-1", "runs/run-1/1-400", "x/y/1-4-" + "0" * 12]
)
def test_nothing_but_a_checkpoint_is_discarded(store: Store, tmp_path: Path, key: str) -> None:
    shelf.push(store, a_folder(tmp_path / "c"))
    before = keys(store)
    with pytest.raises(StoreError):
        shelf.discard(store, key)
    assert keys(store) == before


def test_content_that_a_neighbour_holds_is_copied_not_sent(bucket: Bucket, tmp_path: Path) -> None:
    store = store_in(bucket, [])
    base = os.urandom(5000)
    shelf.push(store, a_folder(tmp_path / "c", About("r", 1, 1), weights=base, state=10))
    bucket.seen.clear()
    second = shelf.push(store, a_folder(tmp_path / "d", About("r", 1, 2), weights=base, state=10))
    sent = [one for one in bucket.asked("PUT") if "/data/" in one.key]
    assert {one.key.rpartition("/")[2]: len(one.body) for one in sent} == {
        "weights.bin": 0,
        "state": 10,
    }
    shelf.pull(store, second.key, str(tmp_path / "back"))


def test_a_neighbour_that_goes_meanwhile_is_no_loss(bucket: Bucket, tmp_path: Path) -> None:
    store = store_in(bucket, [])
    base = os.urandom(5000)
    first = shelf.push(store, a_folder(tmp_path / "c", About("r", 1, 1), weights=base))

    def prune(seen: Seen) -> Answer | None:
        if "x-amz-copy-source" in seen.headers:
            for key in [key for key in bucket.objects if first.key in key]:
                del bucket.objects[key]
        return None

    bucket.trouble = prune
    second = shelf.push(store, a_folder(tmp_path / "d", About("r", 1, 2), weights=base))
    bucket.trouble = lambda _: None
    assert shelf.shelved(store) == [second]
    shelf.pull(store, second.key, str(tmp_path / "back"))


def test_until_all_data_is_there_there_is_no_checkpoint(bucket: Bucket, tmp_path: Path) -> None:
    store = store_in(bucket, [])
    made = a_folder(tmp_path / "c", one=10, two=20)
    bucket.trouble = lambda seen: (
        error(403, "AccessDenied") if seen.key.endswith("two") and seen.body else None
    )
    with pytest.raises(DeniedError):
        shelf.push(store, made, threads=1)
    assert shelf.shelved(store) == []
    bucket.trouble = lambda _: None
    bucket.seen.clear()
    assert shelf.push(store, made).files == 3
    sent = [one.key.rpartition("/")[2] for one in bucket.asked("PUT")]
    assert sorted(sent) in (["manifest.json", "two"], ["manifest.json", "two", "weights.bin"])


def test_what_is_not_as_its_manifest_says_is_not_shelved(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "c", state=10)
    (tmp_path / "c" / "state").write_bytes(b"0123456789")
    with pytest.raises(CorruptError, match="was changed"):
        shelf.push(store, made)
    assert shelf.shelved(store) == []
    (tmp_path / "c" / "state").unlink()
    with pytest.raises(FileNotFoundError):
        shelf.push(store, made)


def test_a_flipped_bit_in_the_store_is_never_pulled(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "c", state=10)
    key = shelf.push(store, made).key
    store.write(data_key(key, made, "state"), b"0123456789")
    with pytest.raises(CorruptError, match="SHA-256"):
        shelf.pull(store, key, str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()


def test_a_pull_goes_on_from_the_files_that_are_whole(bucket: Bucket, tmp_path: Path) -> None:
    store = store_in(bucket, [])
    made = a_folder(tmp_path / "c", one=10, two=20)
    key = shelf.push(store, made).key
    bucket.trouble = lambda seen: error(403, "AccessDenied") if "two" in seen.key else None
    with pytest.raises(DeniedError):
        shelf.pull(store, key, str(tmp_path / "back"), threads=1)
    assert not (tmp_path / "back").exists()
    growing = Path(beside(str(tmp_path / "back"), made.id))
    (growing / "of-another").write_bytes(b"x")
    (growing / "one").write_bytes(b"x" * 10)
    bucket.trouble = lambda _: None
    bucket.seen.clear()
    shelf.pull(store, key, str(tmp_path / "back"))
    fetched = {one.key.rpartition("/")[2] for one in bucket.asked("GET")}
    assert fetched == {"manifest.json", "one", "two"}
    assert manifests.check(made, str(tmp_path / "back")) == []


def test_two_who_push_the_same_at_once_both_succeed(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "c", state=10, more=100_000)
    done: list[object] = []

    def push() -> None:
        try:
            done.append(shelf.push(store, made).id)
        except (StoreError, OSError) as problem:
            done.append(problem)

    crew = [threading.Thread(target=push) for _ in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert done == [made.id] * 4
    shelf.pull(store, shelf.key_for(made), str(tmp_path / "back"))


def test_another_attempt_never_overwrites(store: Store, tmp_path: Path) -> None:
    old = shelf.push(store, a_folder(tmp_path / "c", About("r", 1, 400)))
    new = shelf.push(store, a_folder(tmp_path / "d", About("r", 2, 400)))
    late = shelf.push(store, a_folder(tmp_path / "e", About("r", 1, 400)))
    assert {one.key for one in shelf.shelved(store)} == {old.key, new.key, late.key}


EVIL = ("../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "", "a\0b")


@pytest.mark.parametrize("name", EVIL)
def test_a_manifest_that_leads_elsewhere_is_refused(
    store: Store, tmp_path: Path, name: str
) -> None:
    made = a_folder(tmp_path / "c", state=10)
    files = [made.files[0]._replace(path=name), made.files[1]]
    key, evil = forged(made, files)
    store.write(f"{key}/{MANIFEST}", manifests.encode(evil))
    with pytest.raises(CorruptError):
        shelf.pull(store, key, str(tmp_path / "x" / "back"))
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "x").exists() or os.listdir(tmp_path / "x") == []
    assert shelf.shelved(store) == []


def test_a_manifest_whose_hashes_do_not_fit_is_refused(store: Store, tmp_path: Path) -> None:
    made = a_folder(tmp_path / "c", state=10)
    key = shelf.key_for(made)
    files = [made.files[0]._replace(sha256="0" * 64), *made.files[1:]]
    for evil in (made._replace(files=files), made._replace(files=[]), made._replace(is_dir=False)):
        store.write(f"{key}/{MANIFEST}", manifests.encode(evil))
        with pytest.raises(CorruptError):
            shelf.read_manifest(store, key)
    other, _ = forged(made, files)
    store.write(f"{other}/{MANIFEST}", manifests.encode(made))
    with pytest.raises(CorruptError, match="another checkpoint"):
        shelf.read_manifest(store, other)
    store.write(f"{key}/{MANIFEST}", manifests.encode(made)[:-20])
    with pytest.raises(CorruptError, match="damaged"):
        shelf.read_manifest(store, key)


def forged(made: Manifest, files: list[manifests.FileRecord]) -> tuple[str, Manifest]:
    """A manifest of these files that fits its own id."""
    evil = made._replace(files=files, id=manifests.identity(files))
    return shelf.key_for(evil), evil
