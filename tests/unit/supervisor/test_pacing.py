"""Pacing: rest for what was taken, none once nobody is disturbed, an end when it is asked."""

from __future__ import annotations

import threading
import time

import pytest

from trainctl.supervisor import pacing
from trainctl.supervisor.pacing import Pacer
from trainctl.supervisor.working import Worker


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_rest_is_as_long_as_the_share_asks():
    pacer = Pacer()
    burn(0.05)
    wall, used = time.monotonic() - pacer._seen[0], time.process_time() - pacer._seen[1]
    owed = pacer._owed()
    assert 0.1 <= pacer._share <= 0.5
    assert owed == pytest.approx(max(0.0, used / pacer._share - wall), abs=0.05)


def test_it_rests_no_more_once_it_is_hurried():
    pacer = Pacer()
    pacer._seen = (time.monotonic(), time.process_time() - 3600)
    resting = threading.Thread(target=pacer, args=(1,), daemon=True)
    resting.start()
    assert resting.is_alive()
    pacer.hurry()
    resting.join(10)
    assert not resting.is_alive()


def test_stopped_work_ends_at_its_next_word():
    pacer = Pacer()
    pacer.stop()
    with pytest.raises(pacing.StoppedError):
        pacer(1)


def test_a_worker_works_until_there_is_nothing_and_again_when_it_is_woken():
    left = [3]
    done = threading.Event()

    def step() -> float | None:
        if left[0] == 0:
            done.set()
            return None
        left[0] -= 1
        return 0.0

    worker = Worker(step)
    for _ in range(2):
        left[0] = 3
        done.clear()
        worker.wake()
        assert done.wait(10)
    worker.stop(10)
    left[0] = 3
    worker.wake()
    assert left == [3]


def test_a_fault_of_ours_ends_no_worker(capfd: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setattr("trainctl.supervisor.working._AGAIN_SECONDS", 0.01)
    tries: list[int] = []
    done = threading.Event()

    def step() -> float | None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("ours")
        done.set()
        return None

    worker = Worker(step)
    worker.wake()
    assert done.wait(10)
    worker.stop(10)
    assert "RuntimeError: ours" in capfd.readouterr().err
