"""An S3 service that throttles, cuts, corrupts and lies: a clear error, or none at all."""

from __future__ import annotations

import os
import re
import socket
import threading
import zlib
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes.bucket import Answer, Bucket, Seen, error
from tests.fakes.troubles import is_complete, is_get, is_list, is_part, store_in, times
from trainctl.kit.stores.protocol import (
    AbsentError,
    CorruptError,
    DeniedError,
    ExistsError,
    StoreError,
    UnreachableError,
)
from trainctl.kit.stores.s3 import S3Store

MIB = 1 << 20


@pytest.fixture
def bucket() -> Generator[Bucket]:
    with Bucket() as made:
        yield made


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def store(bucket: Bucket, slept: list[float]) -> S3Store:
    return store_in(bucket, slept)


def a_file(folder: Path, size: int) -> tuple[str, bytes]:
    data = os.urandom(size)
    (folder / "file").write_bytes(data)
    return str(folder / "file"), data


@pytest.mark.parametrize(
    "answer",
    [
        error(503, "SlowDown"),
        error(500, "InternalError"),
        error(502, ""),
        error(429, "TooManyRequests"),
        error(400, "RequestTimeout"),
        Answer(503, b"<html>busy</html>"),
        Answer(200, b"", length=10, cut=0),
    ],
)
def test_what_passes_is_asked_again_with_growing_pauses(
    bucket: Bucket, store: S3Store, slept: list[float], answer: Answer
) -> None:
    bucket.trouble = times(3, answer)
    store.write("k", b"x")
    assert store.read("k") == b"x"
    assert slept == [0.2, 0.4, 0.8]


def test_a_pause_that_the_service_asks_for_is_kept(
    bucket: Bucket, store: S3Store, slept: list[float]
) -> None:
    bucket.trouble = times(1, error(503, "SlowDown", retry_after="7"))
    store.write("k", b"x")
    assert slept == [7.0]


def test_patience_ends_and_says_what_it_was_told(bucket: Bucket, store: S3Store) -> None:
    bucket.trouble = lambda _: error(503, "SlowDown")
    with pytest.raises(UnreachableError, match=r"bucket/team/k.*SlowDown: told so; tried 5 times"):
        store.read("k")
    assert len(bucket.seen) == 5


@pytest.mark.parametrize("status", [400, 403, 405, 409, 411, 418])
def test_a_refusal_is_not_asked_again(bucket: Bucket, store: S3Store, status: int) -> None:
    bucket.trouble = lambda _: error(status, "Whatever")
    with pytest.raises(StoreError, match="Whatever: told so"):
        store.read("k")
    assert len(bucket.seen) == 1


def test_nobody_listens(bucket: Bucket, slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        bucket.url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(
        UnreachableError, match=r"127.0.0.1:\d+: Connection refused; tried 4 times"
    ):
        store_in(bucket, slept).read("k")


def test_what_is_no_http_is_an_error(bucket: Bucket, slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            for _ in range(4):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"\x00\x01 not http \r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        bucket.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="no HTTP"):
            store_in(bucket, slept).read("k")
        thread.join()


def test_a_body_that_is_cut_off_is_gone_on_with(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 20 * MIB)
    store.upload(path, "k")
    bucket.seen.clear()
    cuts = iter([100_000, 3 * MIB, 5, 1 * MIB])

    def cut(seen: Seen, answer: Answer) -> Answer:
        at = next(cuts, None) if is_get(seen) else None
        return answer if at is None else answer._replace(cut=at)

    bucket.tamper = cut
    store.download("k", str(tmp_path / "back"), crc32=zlib.crc32(data))
    assert (tmp_path / "back").read_bytes() == data
    fetched = sum(_length(one) for one in bucket.asked("GET"))
    assert fetched < 20 * MIB + 4 * 9 * MIB


def _length(seen: Seen) -> int:
    start, _, end = seen.headers["range"].removeprefix("bytes=").partition("-")
    return int(end) + 1 - int(start)


def test_a_body_that_is_always_cut_off_wears_patience_out(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    store.write("k", b"x" * 1000)
    bucket.tamper = lambda seen, answer: answer._replace(cut=0) if is_get(seen) else answer
    with pytest.raises(UnreachableError, match="cut off"):
        store.download("k", str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()


def test_a_flipped_bit_on_the_way_here_is_seen(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    store.write("k", b"x" * 1000)

    def flip(seen: Seen, answer: Answer) -> Answer:
        return answer._replace(body=b"y" + answer.body[1:]) if is_get(seen) else answer

    bucket.tamper = flip
    with pytest.raises(CorruptError, match="nothing of it was kept"):
        store.download("k", str(tmp_path / "back"))  # by the checksum that the store keeps
    assert os.listdir(tmp_path) == []


def test_an_object_that_changes_while_it_is_fetched_is_never_mixed(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, _ = a_file(tmp_path, 20 * MIB)
    store.upload(path, "k")

    def change(seen: Seen) -> Answer | None:
        if is_get(seen) and not seen.headers["range"].startswith("bytes=0-"):
            bucket.objects[seen.key] = bucket.objects[seen.key]._replace(etag='"new"')
        return None

    bucket.trouble = change
    with pytest.raises(CorruptError, match="changed while it was fetched"):
        store.download("k", str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()


def test_another_range_than_was_asked_for_is_refused(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    store.write("k", b"0123456789")

    def shift(seen: Seen, answer: Answer) -> Answer:
        headers = {**answer.headers, "Content-Range": "bytes 1-9/10"}
        return answer._replace(headers=headers) if is_get(seen) else answer

    bucket.tamper = shift
    with pytest.raises(StoreError, match="another range"):
        store.read("k", 0, 5)


@pytest.mark.parametrize("size", [1000, 20 * MIB])
def test_a_flipped_bit_on_the_way_there_is_refused_by_the_service(
    bucket: Bucket, store: S3Store, tmp_path: Path, size: int
) -> None:
    path, data = a_file(tmp_path, size)

    def flip(seen: Seen) -> Answer | None:
        is_data = seen.method == "PUT" and len(seen.body) > 999
        return error(400, "BadDigest") if is_data else None

    bucket.trouble = flip
    with pytest.raises(CorruptError, match="BadDigest"):
        store.upload(path, "k", crc32=zlib.crc32(data))
    assert bucket.objects == {}
    assert bucket.uploads == {}


def test_success_that_tells_an_error_is_none(
    bucket: Bucket, store: S3Store, slept: list[float], tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    lie = error(200, "InternalError")
    bucket.trouble = times(2, lie, lambda seen: is_complete(seen) or is_copy(seen))
    store.upload(path, "k", crc32=zlib.crc32(data))
    assert store.read("k") == data
    assert slept == [0.2, 0.4]
    bucket.trouble = times(2, lie, is_copy)
    assert store.copy("k", "l")
    assert store.read("l") == data
    bucket.trouble = times(9, lie, is_complete)
    with pytest.raises(UnreachableError, match="InternalError"):
        store.upload(path, "m")
    assert store.head("m") is None


def is_copy(seen: Seen) -> bool:
    return "x-amz-copy-source" in seen.headers


def test_a_completion_whose_answer_is_lost_is_a_completion(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    left = iter([0])

    def lose(seen: Seen, answer: Answer) -> Answer:
        lost = is_complete(seen) and next(left, None) is not None
        return error(500, "InternalError") if lost else answer

    bucket.tamper = lose
    assert store.upload(path, "k", crc32=zlib.crc32(data)).crc32 == zlib.crc32(data)
    assert store.read("k") == data


def test_a_create_whose_answer_is_lost_is_a_create(bucket: Bucket, store: S3Store) -> None:
    left = iter([0])

    def lose(seen: Seen, answer: Answer) -> Answer:
        lost = seen.method == "PUT" and next(left, None) is not None
        return error(500, "InternalError") if lost else answer

    bucket.tamper = lose
    store.write("k", b"mine", if_absent=True)
    with pytest.raises(ExistsError):
        store.write("k", b"another", if_absent=True)
    assert store.read("k") == b"mine"


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_a_checksum_that_is_another_afterwards_is_an_error_and_leaves_nothing(
    bucket: Bucket, store: S3Store, tmp_path: Path, size: int
) -> None:
    path, data = a_file(tmp_path, size)

    def lie(seen: Seen, answer: Answer) -> Answer:
        if answer.status == 200 and "x-amz-checksum-crc32" in answer.headers:
            return answer._replace(headers={**answer.headers, "x-amz-checksum-crc32": "AAAAAA=="})
        return answer

    bucket.tamper = lie
    with pytest.raises(CorruptError, match="CRC-32 is 00000000"):
        store.upload(path, "k", crc32=zlib.crc32(data))
    assert bucket.objects == {}


def test_a_service_that_shows_an_object_late_is_given_a_moment(
    bucket: Bucket, store: S3Store, slept: list[float], tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    bucket.trouble = times(2, Answer(404), lambda seen: seen.method == "HEAD")
    store.upload(path, "k", crc32=zlib.crc32(data))
    assert len(slept) == 2


@pytest.mark.parametrize("size", [1000, 9 * MIB])
@pytest.mark.parametrize("etag", [True, False])
def test_a_service_without_checksums_is_held_to_its_tags_or_read_back(
    slept: list[float], tmp_path: Path, size: int, *, etag: bool
) -> None:
    path, data = a_file(tmp_path, size)
    with Bucket(checksums=False) as bucket:
        store = store_in(bucket, slept)
        if not etag:
            bucket.tamper = lambda _, answer: (
                answer._replace(headers={**answer.headers, "ETag": '"opaque"'})
                if "ETag" in answer.headers
                else answer
            )
        assert store.upload(path, "k", crc32=zlib.crc32(data)).crc32 == zlib.crc32(data)
        read_back = sum(map(_length, bucket.asked("GET")[-1:])) if not etag else 0
        assert bool(read_back) is not etag

        def flip(seen: Seen, answer: Answer) -> Answer:
            if seen.key in bucket.objects:
                held = bucket.objects[seen.key]
                bucket.objects[seen.key] = held._replace(data=b"!" + held.data[1:], etag='"x"')
            return answer._replace(headers={**answer.headers, "ETag": '"opaque"'})

        bucket.tamper = flip
        with pytest.raises(CorruptError):
            store.upload(path, "l", crc32=zlib.crc32(data))


BROKEN = {
    "truncated": b"<ListBucketResult><Contents><Key>a</Key>",
    "empty": b"",
    "foreign": b"<html>hello</html>",
    "no end": b"<ListBucketResult><Name>b</Name></ListBucketResult>",
    "no token": b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "size": b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
    b"<Size>many</Size></Contents></ListBucketResult>",
    "bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult/>',
    "error": b"<Error><Code>InternalError</Code></Error>",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_broken_page_of_a_list_is_an_error_never_empty(
    bucket: Bucket, store: S3Store, body: bytes
) -> None:
    bucket.trouble = lambda seen: Answer(200, body) if is_list(seen) else None
    with pytest.raises(StoreError):
        list(store.list())


def test_a_list_that_goes_in_circles_ends(bucket: Bucket, store: S3Store) -> None:
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    )
    bucket.trouble = lambda seen: Answer(200, page)
    with pytest.raises(StoreError, match="anew"):
        list(store.list())


def test_parts_that_arrived_before_are_not_sent_again(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 25 * MIB)
    refused = [error(403, "AccessDenied")]

    def refuse(seen: Seen) -> Answer | None:
        return refused[0] if is_part(seen) and seen.query["partNumber"] == "3" else None

    bucket.trouble = refuse
    store.connections = 1
    with pytest.raises(DeniedError):
        store.upload(path, "k", crc32=zlib.crc32(data))
    bucket.trouble = lambda _: None
    bucket.seen.clear()
    store.upload(path, "k", crc32=zlib.crc32(data))
    assert [one.query["partNumber"] for one in bucket.asked("PUT", "partNumber")] == ["3", "4"]
    assert store.read("k") == data
    assert bucket.uploads == {}


def test_parts_of_another_content_are_sent_again(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 9 * MIB)
    bucket.trouble = lambda seen: error(403, "AccessDenied") if is_complete(seen) else None
    with pytest.raises(DeniedError):
        store.upload(path, "k")
    bucket.trouble = lambda _: None
    changed = b"!" + data[1:]
    Path(path).write_bytes(changed)
    bucket.seen.clear()
    store.upload(path, "k")
    assert [one.query["partNumber"] for one in bucket.asked("PUT", "partNumber")] == ["1"]
    assert store.read("k") == changed


def test_two_who_send_the_same_at_once_both_succeed(
    bucket: Bucket, slept: list[float], tmp_path: Path
) -> None:
    path, data = a_file(tmp_path, 20 * MIB)
    failed: list[BaseException] = []

    def send() -> None:
        try:
            store_in(bucket, slept).upload(path, "k", crc32=zlib.crc32(data))
        except StoreError as problem:
            failed.append(problem)

    crew = [threading.Thread(target=send) for _ in range(3)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert failed == []
    assert store_in(bucket, slept).read("k") == data
    assert bucket.uploads == {}


def test_no_more_parts_than_a_service_takes() -> None:
    from trainctl.kit.stores.multipart import part_bytes

    for size in (1, 8 * MIB, 5 << 30, 80 << 30, 640 << 30, 50 << 40):
        assert size / part_bytes(size) <= 10_000
    assert part_bytes(600 << 30) == 64 * MIB


def test_a_full_disk_is_told_before_anything_is_fetched(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, _ = a_file(tmp_path, 9 * MIB)
    store.upload(path, "k")

    def huge(seen: Seen, answer: Answer) -> Answer:
        told = f"bytes 0-{8 * MIB - 1}/{1 << 60}"
        headers = {**answer.headers, "Content-Range": told}
        return answer._replace(headers=headers) if is_get(seen) else answer

    bucket.tamper = huge
    with pytest.raises(StoreError, match="the disk has room for"):
        store.download("k", str(tmp_path / "back"), crc32=1)
    assert len(bucket.asked("GET")) == 2  # for what was unfinished there, and the first piece


def test_two_who_fetch_to_one_place_do_not_mix(store: S3Store, tmp_path: Path) -> None:
    from trainctl.kit.stores.arriving import Arrival, Expected

    store.write("k", b"x")
    with (
        Arrival(str(tmp_path / "back"), Expected("k", 1, zlib.crc32(b"x"))),
        pytest.raises(StoreError, match="somebody else"),
    ):
        store.download("k", str(tmp_path / "back"))


def test_a_file_that_grows_while_it_is_sent_is_not_stored(
    bucket: Bucket, store: S3Store, tmp_path: Path
) -> None:
    path, _ = a_file(tmp_path, 9 * MIB)

    def grow(seen: Seen) -> Answer | None:
        if is_part(seen):
            with open(path, "ab") as file:
                file.write(b"more")
        return None

    bucket.trouble = grow
    with pytest.raises(CorruptError, match="was changed"):
        store.upload(path, "k")
    assert bucket.objects == {}
    assert bucket.uploads == {}


def test_a_conditional_put_that_the_service_does_not_know_is_told(
    bucket: Bucket, store: S3Store
) -> None:
    bucket.trouble = lambda seen: (
        error(501, "NotImplemented") if "if-none-match" in seen.headers else None
    )
    with pytest.raises(StoreError, match="NotImplemented"):
        store.write("k", b"x", if_absent=True)


def test_no_error_ever_holds_a_secret(bucket: Bucket, slept: list[float]) -> None:
    token = "FwoGZXIvYXdzEXAMPLETOKEN"
    store = store_in(bucket, slept, AWS_SESSION_TOKEN=token)

    def echo(seen: Seen) -> Answer:
        told = f"{seen.headers['authorization']} wJalrXUtnFEMI {token}"
        body = f"<Error><Code>InvalidToken</Code><Message>{told}</Message></Error>".encode()
        return Answer(403, body)

    bucket.trouble = echo
    with pytest.raises(DeniedError) as caught:
        store.read("k")
    assert "Signature=***" in str(caught.value)
    assert not re.search(f"wJalrXUtnFEMI|{token}|Signature=[0-9a-f]", str(caught.value))


def test_a_bucket_that_is_not_there_is_told_so(bucket: Bucket, store: S3Store) -> None:
    bucket.trouble = lambda _: error(404, "NoSuchBucket")
    with pytest.raises(AbsentError, match="NoSuchBucket"):
        list(store.list())
