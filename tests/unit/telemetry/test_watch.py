from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trainctl.clock import SystemClock
from trainctl.telemetry.follow import follow
from trainctl.telemetry.inotify import Inotify
from trainctl.telemetry.watch import HEARTBEAT_SECONDS, POLL_SECONDS, Poll, Watch

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class CountingClock(SystemClock):
    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Scripted:
    """An inotify whose answers are given, and which notes what is watched."""

    def __init__(self, *answers: set[int], unwatchable: BaseException | None = None) -> None:
        self.answers = list(answers)
        self.waited: list[float] = []
        self.added: list[str] = []
        self.closed = False
        self._unwatchable = unwatchable

    def add(self, path: str, mask: int) -> int:
        if self._unwatchable is not None:
            raise self._unwatchable
        self.added.append(path)
        return len(self.added)

    def wait(self, seconds: float) -> set[int]:
        self.waited.append(seconds)
        return self.answers.pop(0) if self.answers else set()

    def close(self) -> None:
        self.closed = True


def watching(notifier: Scripted, clock: CountingClock) -> Watch:
    return Watch(["/a/log"], clock, notifier=lambda: notifier)  # type: ignore[arg-type, return-value]


def no_inotify() -> Inotify:
    raise OSError(errno.EMFILE, "too many instances")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.write_bytes(b"")
    return path


def test_polling_sleeps_a_short_time():
    clock = CountingClock()
    Poll(clock).wait(found=False)
    assert clock.slept == [POLL_SECONDS]


def test_without_inotify_it_polls():
    clock = CountingClock()
    with Watch(["/a/log"], clock, notifier=no_inotify) as watch:
        watch.wait(found=False)
        assert watch.polls
    assert clock.slept == [POLL_SECONDS]


def test_with_no_watch_left_it_polls():
    notifier = Scripted(unwatchable=OSError(errno.ENOSPC, "no watches left"))
    clock = CountingClock()
    watch = watching(notifier, clock)
    watch.wait(found=False)
    watch.wait(found=False)
    assert (watch.polls, notifier.closed, clock.slept) == (True, True, [POLL_SECONDS])


def test_it_arms_only_after_a_quiet_interval_and_then_lets_the_caller_read_once_more():
    notifier = Scripted({1}, set())
    watch = watching(notifier, CountingClock())
    watch.wait(found=False)
    assert (notifier.added, notifier.waited) == (["/a/log"], [])
    watch.wait(found=False)  # it fires, and its one shot is used up
    watch.wait(found=True)
    assert notifier.added == ["/a/log"]
    watch.wait(found=False)
    assert notifier.added == ["/a/log", "/a/log"]


def test_growth_that_nobody_told_of_makes_it_poll_for_good():
    clock = CountingClock()
    notifier = Scripted()
    watch = watching(notifier, clock)
    watch.wait(found=False)
    watch.wait(found=False)
    assert notifier.waited == [HEARTBEAT_SECONDS]
    watch.wait(found=True)
    assert watch.polls


def test_silence_alone_does_not_make_it_poll():
    watch = watching(Scripted(), CountingClock())
    for _ in range(10):
        watch.wait(found=False)
    assert not watch.polls


def test_a_lost_notification_arms_everything_again():
    notifier = Scripted({-1})
    watch = watching(notifier, CountingClock())
    for _ in range(3):
        watch.wait(found=False)
    assert notifier.added == ["/a/log", "/a/log"]


class Noting(Inotify):
    def __init__(self) -> None:
        super().__init__()
        self.fired = 0

    def wait(self, seconds: float) -> set[int]:
        fired = super().wait(seconds)
        self.fired += len(fired)
        return fired


@linux
@pytest.mark.parametrize(
    "act",
    [
        lambda log: log.write_bytes(b"x"),
        lambda log: log.unlink(),
        lambda log: log.rename(log.with_suffix(".1")),
        lambda log: (log.parent / "new").write_bytes(b""),
        lambda log: (log.parent.parent / "exit.json").write_bytes(b""),
    ],
    ids=["grew", "deleted", "renamed", "beside", "also"],
)
def test_real_changes_end_a_wait(log: Path, act: Callable[[Path], object]):
    also = [str(log.parent.parent / "exit.json"), str(log.parent / "exit.json")]
    try:
        notifier = Noting()
        with Watch([str(log)], SystemClock(), also, notifier=lambda: notifier) as watch:
            watch.wait(found=False)  # arms it
            act(log)
            watch.wait(found=False)
            assert notifier.fired
    finally:
        (log.parent.parent / "exit.json").unlink(missing_ok=True)


@linux
def test_a_log_in_a_folder_that_does_not_exist_is_waited_for(tmp_path: Path):
    path = tmp_path / "later" / "output.log"

    def write() -> None:
        path.parent.mkdir()
        path.write_bytes(b"here")

    timer = threading.Timer(0.05, write)
    timer.start()
    chunks = follow(str(path), 0, path.exists, SystemClock())
    assert b"".join(chunks) == b"here"
    timer.join()


@linux
def test_no_watch_stays_on_a_log_that_has_fired(log: Path):
    notifier = Inotify()
    watch = Watch([str(log)], SystemClock(), notifier=lambda: notifier)
    watch.wait(found=False)
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x")
        watch.wait(found=False)
        writer.write(b"y")
        assert notifier.wait(0) == set()
    watch.close()


@pytest.mark.parametrize("notifier", [Inotify, no_inotify], ids=["inotify", "polling"])
def test_a_writer_in_another_thread_is_followed_to_its_end(
    log: Path, notifier: Callable[[], Inotify]
):
    ended = threading.Event()

    def write() -> None:
        with log.open("ab", buffering=0) as writer:
            for number in range(500):
                writer.write(b"%d\n" % number)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    with Watch([str(log)], SystemClock(), notifier=notifier) as watch:
        chunks = follow(str(log), 0, ended.is_set, SystemClock(), waiter=watch)
        assert b"".join(chunks) == b"".join(b"%d\n" % number for number in range(500))
    thread.join()
