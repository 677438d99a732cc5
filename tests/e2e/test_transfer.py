"""`checkpoint push` and `pull`, to a folder and to S3; killed, and gone on with."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.line import CommandLine
from tests.fakes.bucket import BUCKET, CREDENTIALS, Answer, Bucket, Seen, error
from tests.fakes.troubles import is_part

MIB = 1 << 20


@pytest.fixture
def bucket(trainctl: CommandLine) -> Generator[Bucket]:
    with Bucket() as made:
        trainctl.env |= {**CREDENTIALS, "AWS_ENDPOINT_URL": made.url}
        yield made


def a_checkpoint(trainctl: CommandLine, size: int, name: str = "out/step_5.dat") -> Path:
    path = trainctl.project / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_to_a_folder_and_back(trainctl: CommandLine) -> None:
    path = a_checkpoint(trainctl, 1000)
    pushed = trainctl.ok("checkpoint", "push", "out/step_5.dat", "--to", "store", "--json").data
    (one,) = pushed["checkpoints"]
    assert (one["run"], one["step"], one["size"]) == ("out", 5, 1000)
    done = trainctl.ok("checkpoint", "pull", one["url"], "back/x.dat")
    assert done.out == "back/x.dat  1.0 kB\n"
    assert (trainctl.project / "back/x.dat").read_bytes() == path.read_bytes()
    again = trainctl.ok("checkpoint", "push", "out/step_5.dat", "--to", "store", "--json").data
    assert again == pushed


def test_a_run_s_newest_goes_to_its_store_and_comes_back_by_name(
    trainctl: CommandLine, bucket: Bucket
) -> None:
    store = f"s3://{BUCKET}/team"
    trainctl.ok("run", "--name", "fit", "train.py", TRAINCTL_PUSH="off", TRAINCTL_STORE=store)
    assert bucket.objects == {}
    trainctl.ok("checkpoint", "push", "fit")
    trainctl.ok("checkpoint", "push", "fit", "--all")
    names = {key.split("/")[3] for key in bucket.objects}
    assert [name.split("-")[:2] for name in sorted(names)] == [["1", "1"], ["1", "2"], ["1", "3"]]
    trainctl.ok("checkpoint", "pull", "fit", "newest.pt")
    trainctl.ok("checkpoint", "pull", "fit/2", "second.pt")
    for name, step in (("newest", 3), ("second", 2)):
        wanted = (trainctl.project / f"out/step_{step}.pt").read_bytes()
        assert (trainctl.project / f"{name}.pt").read_bytes() == wanted
    missing = trainctl("checkpoint", "pull", "fit/9")
    assert (missing.code, "no checkpoint of step 9" in missing.err) == (4, True)


def test_a_push_that_was_killed_sends_only_what_is_missing(
    trainctl: CommandLine, bucket: Bucket
) -> None:
    path = a_checkpoint(trainctl, 40 * MIB)
    arrived = threading.Semaphore(0)

    def slow(seen: Seen) -> Answer | None:
        if is_part(seen) and int(seen.query["partNumber"]) > 2:
            arrived.release()
            return error(503, "SlowDown", retry_after="30")
        return None

    bucket.trouble = slow
    words = ("checkpoint", "push", "out/step_5.dat", "--to", f"s3://{BUCKET}")
    started = trainctl.start(*words)
    for _ in range(3):
        assert arrived.acquire(timeout=30)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    assert not bucket.objects
    (upload,) = bucket.uploads.values()
    there = set(upload.parts)
    bucket.trouble = lambda _: None
    bucket.seen.clear()
    trainctl.ok(*words)
    sent = {int(one.query["partNumber"]) for one in bucket.asked("PUT", "partNumber")}
    assert there
    assert sent == {1, 2, 3, 4, 5} - there
    assert bucket.uploads == {}
    (data,) = [held.data for key, held in bucket.objects.items() if "/data/" in key]
    assert data == path.read_bytes()


def test_a_pull_that_was_killed_goes_on(trainctl: CommandLine, bucket: Bucket) -> None:
    path = a_checkpoint(trainctl, 40 * MIB)
    to = ("--to", f"s3://{BUCKET}", "--json")
    url = trainctl.ok("checkpoint", "push", str(path), *to).data["checkpoints"][0]["url"]
    stuck = threading.Event()

    def slow(seen: Seen) -> Answer | None:
        begin = seen.headers.get("range", "bytes=0-").split("=")[1].split("-")[0]
        if seen.method == "GET" and int(begin) >= 24 * MIB:
            stuck.set()
            return error(503, "SlowDown", retry_after="30")
        return None

    bucket.trouble = slow
    started = trainctl.start("checkpoint", "pull", url, "back.dat")
    assert stuck.wait(30)
    (partial,) = trainctl.project.glob(".back.dat.trainctl-*.partial")
    while partial.stat().st_size < 16 * MIB:
        assert started.poll() is None
    started.send_signal(signal.SIGKILL)
    started.communicate()
    assert not (trainctl.project / "back.dat").exists()
    bucket.trouble = lambda _: None
    bucket.seen.clear()
    trainctl.ok("checkpoint", "pull", url, "back.dat")
    assert (trainctl.project / "back.dat").read_bytes() == path.read_bytes()
    begins = [one.headers["range"] for one in bucket.asked("GET") if "/data/" in one.key]
    assert not any(begin.startswith(f"bytes={8 * MIB}-") for begin in begins)


def test_any_object_may_be_pulled_and_is_looked_at(trainctl: CommandLine, bucket: Bucket) -> None:
    path = a_checkpoint(trainctl, 1000, "m.safetensors")
    bucket.objects["models/m.safetensors"] = bucket._held(path.read_bytes())
    done = trainctl("checkpoint", "pull", f"s3://{BUCKET}/models/m.safetensors", "x/", "--json")
    assert done.code == 1
    assert done.data["findings"]
    assert (trainctl.project / "x" / "m.safetensors").read_bytes() == path.read_bytes()


def test_a_trailing_slash_or_a_folder_means_into_it(trainctl: CommandLine) -> None:
    a_checkpoint(trainctl, 100, "src/got")
    (pushed,) = trainctl.ok("checkpoint", "push", "src/got", "--to", "store", "--json").data[
        "checkpoints"
    ]
    trainctl.ok("checkpoint", "pull", pushed["url"], "got/")
    assert (trainctl.project / "got" / "got").is_file()
    trainctl.ok("checkpoint", "pull", pushed["url"], "got")
    assert [path.name for path in (trainctl.project / "got").iterdir()] == ["got"]


def test_what_is_there_already_is_said(trainctl: CommandLine) -> None:
    a_checkpoint(trainctl, 100)
    words = ("checkpoint", "push", "out/step_5.dat", "--to", "store")
    assert "there already" not in trainctl.ok(*words).out
    assert trainctl.ok(*words).out.endswith("  there already\n")
    told = trainctl("checkpoint", "pull", "store/runs/out")
    assert "trainctl checkpoint pull out --from store" in told.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("push", "nothing"), 4, "there is no checkpoint and no run 'nothing'"),
        (("push", "half.pt", "--to", "store"), 5, "half.pt is not sent"),
        (("push", "whole.dat"), 3, "no store is set\n.*--to STORE; .*trainctl config path user"),
        (("push", "whole.dat", "--to", "gs://x"), 2, "neither s3://"),
        (("push", "whole.dat", "--to", "s3://a"), 2, "no name of a bucket"),
        (("pull", "s3://bucket/runs/a/1-2-000000000000"), 4, "no such key|NoSuchKey"),
        (("pull", "s3://bucket"), 2, "names a store"),
        (("pull", "nobody", "--from", "s3://bucket/team"), 4, "no checkpoint of nobody"),
    ],
)
def test_what_cannot_be_moved_is_told(
    trainctl: CommandLine, bucket: Bucket, words: tuple[str, ...], code: int, said: str
) -> None:
    a_checkpoint(trainctl, 100, "whole.dat")
    (trainctl.project / "half.pt").write_bytes(b"PK\3\4 cut off")
    done = trainctl("checkpoint", *words)
    assert done.code == code, done.err
    assert re.search(said, done.err), done.err
    assert "try: " in done.err


def test_refused_credentials_have_a_code_of_their_own(
    trainctl: CommandLine, bucket: Bucket
) -> None:
    a_checkpoint(trainctl, 100, "whole.dat")
    bucket.trouble = lambda _: error(403, "InvalidAccessKeyId")
    done = trainctl("checkpoint", "push", "whole.dat", "--to", f"s3://{BUCKET}/x")
    assert done.code == 7
    assert "AWS_ACCESS_KEY_ID" in done.err
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("within", ["", "data", "data/step_5.pt"])
def test_half_a_push_is_no_checkpoint(trainctl: CommandLine, within: str) -> None:
    (trainctl.project / "out").mkdir()
    (trainctl.project / "out" / "step_5.pt").write_text("5")
    to = ("--to", "store", "--json")
    pushed = trainctl.ok("checkpoint", "push", "out/step_5.pt", *to).data
    key = Path(pushed["checkpoints"][0]["url"])
    (key / "manifest.json").unlink()
    named = os.path.relpath(key / within, trainctl.project)
    run = ("run", "--resume", named, "--name", "on", "train.py")
    for words in (("checkpoint", "verify", named), ("checkpoint", "push", named, *to), run):
        done = trainctl(*words)
        assert done.code == (125 if words == run else 5)
        assert "its push goes on, or was cut: there is no manifest" in done.err + done.out
    assert not trainctl.run_folder("on").exists()
