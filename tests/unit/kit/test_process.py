"""Who is alive, who carries a run's mark, who holds a lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainctl.kit import files, locks, opened, people, process, spawn
from trainctl.kit.names import RunFolder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run: needs Linux")


@contextmanager
def sleeper(environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, **(environ or {})})
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_alive_is_a_pid_with_its_start_and_boot() -> None:
    with sleeper() as child:
        who = process.identity(child.pid)
        assert who is not None
        assert process.is_alive(who)
        assert process.identity_of(who.to_json()) == who
        assert not process.is_alive(who._replace(start="1"))
        assert not process.is_alive(who._replace(boot="another"))
    assert not process.is_alive(who)
    assert not process.signal_if_alive(who, signal.SIGTERM)
    assert not process.signal_if_alive(None, signal.SIGTERM)
    assert process.identity_of(None) is None


def test_another_process_with_the_same_pid_is_left_alone() -> None:
    with sleeper() as child:
        who = process.identity(child.pid)
        assert who is not None
        assert not process.signal_if_alive(who._replace(start="1"), signal.SIGKILL)
        assert child.poll() is None


def test_a_zombie_is_dead_but_its_parent_can_still_name_it() -> None:
    with sleeper() as child:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.identity(child.pid) is None
        assert process.identity(child.pid, reaped=False) is not None


def test_a_name_with_brackets_and_spaces_hides_no_field(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(odd), "60"])
    try:
        assert process.identity(child.pid) is not None
        assert process.parents()[child.pid] == os.getpid()
    finally:
        child.kill()
        child.wait()


def test_the_mark_is_found_whole_and_only_whole(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    with sleeper({process.RUN_MARK: run, process.ATTEMPT_MARK: "2"}) as child:
        wait_for_mark(child.pid)
        assert process.marked(run) == [child.pid]
        assert process.marked(run, 2) == [child.pid]
        assert process.marked(run, 1) == []
        assert process.marked(run[:-1]) == []
        assert process.marked(f"{run}-2") == []
        assert process.end_marked(run, 1) == []
        assert process.end_marked(run, 2) == [child.pid]
        assert child.wait() == -signal.SIGKILL


def wait_for_mark(pid: int) -> None:
    give_up = time.monotonic() + 10
    while process.RUN_MARK not in process.environment(pid):
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_the_living_of_a_run_are_the_marked_and_the_noted_trainer(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    os.mkdir(run.attempt(1).path)
    assert people.living(run) == []
    with sleeper() as noted, sleeper({process.RUN_MARK: run.path}) as marked:
        wait_for_mark(marked.pid)
        trainer = process.identity(noted.pid)
        assert trainer is not None
        files.write_json(run.attempt(1).pid, {"waiter": None, "trainer": trainer.to_json()})
        assert people.living(run) == sorted([noted.pid, marked.pid])
    assert people.living(run) == []


def test_children_are_found_with_and_without_the_kernels_lists() -> None:
    with sleeper() as child:
        assert child.pid in process.children(os.getpid())
        assert process.parents()[child.pid] == os.getpid()
    assert process.children(2**22 + 1) == []


HOLDS = """
import sys
from trainctl.kit.locks import Lock
lock = Lock(sys.argv[1])
lock.take()
lock.sign({"run": "a"})
print(1, flush=True)
input()
"""


def test_a_lock_is_freed_by_its_holders_death(tmp_path: Path) -> None:
    path = str(tmp_path / "a.lock")
    command = [sys.executable, "-c", HOLDS, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert locks.is_taken(path)
        assert locks.holder(path) == {"run": "a"}
        assert not locks.Lock(path).take()
        holder.kill()
    assert not locks.is_taken(path)
    with locks.Lock(path) as lock:
        assert lock.take()
        assert locks.is_taken(path)
    assert not locks.is_taken(path)


def test_a_note_replaces_a_longer_one(tmp_path: Path) -> None:
    path = str(tmp_path / "a.lock")
    with locks.Lock(path) as lock:
        assert lock.take()
        lock.sign({"run": "a long name of a run"})
        lock.sign({"run": "b"})
    assert locks.holder(path) == {"run": "b"}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff"])
def test_an_unreadable_note_is_no_note(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.lock").write_bytes(text)
    assert locks.holder(str(tmp_path / "a.lock")) == {}


def test_no_lock_file_is_a_free_lock(tmp_path: Path) -> None:
    assert not locks.is_taken(str(tmp_path / "none"))
    assert locks.holder(str(tmp_path / "none")) == {}


def test_what_we_start_inherits_neither_descriptors_nor_a_mark(tmp_path: Path) -> None:
    """A detached run that kept its caller's lock would block the caller's next start for hours."""
    run = RunFolder(str(tmp_path))
    leak = os.open(tmp_path / "leak", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(leak, True)
    try:
        pid = spawn.start(["/bin/sleep", "60"], run)
        try:
            expected, give_up = {os.devnull, run.agent_log}, time.monotonic() + 10
            while opened.by([pid]) != expected and time.monotonic() < give_up:
                time.sleep(0.01)  # its loader opens libraries first
            assert opened.by([pid]) == expected
            assert os.getsid(pid) == pid
            environ = process.environment(pid)
            assert environ[process.SUPERVISOR_MARK] == run.path
            assert set(environ) <= {process.SUPERVISOR_MARK, *spawn._KEPT}
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    finally:
        os.close(leak)
