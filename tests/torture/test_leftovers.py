"""What a trainer leaves behind: processes and secrets. None of either stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import need
from tests.conftest import SAMPLE
from tests.torture.board import Board
from tests.torture.yard import PYTHON, Yard
from trainctl.kit import files, process
from trainctl.records.state import Reason

TREE = Path(__file__).with_name("tree.py")
LINUX = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="not run: needs Linux")
pytestmark = [LINUX, pytest.mark.timeout(1800)]


def test_of_twenty_stubborn_descendants_none_is_left(yard: Yard, board: Board, kills: int) -> None:
    trees = max(5, min(100, kills // 10)) if kills <= SAMPLE else 100
    with ThreadPoolExecutor(5) as pool:
        left = [*pool.map(lambda number: left_of(yard, f"tree-{number}"), range(trees))]
    board.note("20 detached descendants", injected=trees, lost=sum(map(bool, left)), doubled=0)


def left_of(yard: Yard, name: str) -> list[int]:
    """The descendants that live once the run has ended."""
    place = yard.place(name)
    yard.call("run", "-d", "--name", name, PYTHON, "-I", "-S", str(TREE), str(place))
    found = yard.settled(name, 90)
    assert found.reason is Reason.SUCCEEDED, found
    pids = [int(path.read_text()) for path in place.iterdir()]
    assert len(pids) == 20
    return [pid for pid in pids if is_of(pid)]


def is_of(pid: int) -> bool:
    """Whether this is still that descendant, and no stranger who has its pid by now."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return str(TREE).encode() in words and process.identity(pid) is not None


def test_a_nested_run_is_not_ended_with_the_run_that_started_it(yard: Yard) -> None:
    inner = " ".join(yard.cli("run", "-d", "--name", "inner", *yard.trainer("inner", seconds=3)))
    yard.call("run", "-d", "--name", "outer", "sh", "-c", f"{inner} && exit 0")
    assert yard.settled("outer").reason is Reason.SUCCEEDED
    assert yard.settled("inner").reason is Reason.SUCCEEDED


CANARIES = [f"canary{number:02}{os.urandom(8).hex()}" for number in range(20)]
SHOWS = "import os, time; print(sorted(os.environ)[:3], flush=True); time.sleep(0.6)"


@contextmanager
def watching_command_lines(found: set[str]) -> Iterator[None]:
    """Meanwhile look at every command line that our commands and supervisors show."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            for pid in process.pids():
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                found.update(one for one in CANARIES if one.encode() in words)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@need.tool("git")
def test_a_secret_stays_out_of_every_file_and_every_command_line(
    yard: Yard, board: Board, kills: int
) -> None:
    """By name from the environment, from an env file, and everything else that is exported."""
    names = [f"NAME_{number}" for number in range(8)]
    by_name = dict(zip(names, CANARIES, strict=False))
    in_file = dict(zip([f"FILE_{n}" for n in range(8)], CANARIES[8:], strict=False))
    exported = {f"EXPORTED_TOKEN_{n}": one for n, one in enumerate(CANARIES[16:])}
    (yard.folder / "env.txt").write_text("".join(f"{k}={v}\n" for k, v in in_file.items()))
    (yard.folder / "train.py").write_text(SHOWS)
    yard.environ.update(by_name)
    yard.environ.update(exported)
    wanted = [word for name in names for word in ("--env", name)]
    seen: set[str] = set()
    with watching_command_lines(seen):
        yard.call(
            *("run", "-d", "--name", "keeps", "--retries", "1", "--env-file", "env.txt"),
            *(*wanted, "--python", PYTHON, "train.py"),
        )
        living = hits(yard, besides="secrets.env")
        modes = {os.stat(path).st_mode & 0o777 for path in yard.secrets()}
        for words in (["list", "--json"], ["show", "keeps", "--json"], ["logs", "keeps"]):
            said = yard.call(*words)
            seen.update(one for one in CANARIES if one in said.stdout + said.stderr)
        assert yard.settled("keeps").reason is Reason.SUCCEEDED
        yard.call("resume", "--detach", "keeps")
        yard.settled("keeps")
        yard.call("rerun", "--detach", "--name", "again", "keeps")
        yard.settled("again")
    assert modes == {0o600}
    lost = len(seen | living | hits(yard))
    board.note("secret", injected=len(CANARIES), lost=lost, doubled=0)


def test_a_value_typed_under_a_secret_name_is_not_recorded(yard: Yard) -> None:
    words = ["--env", f"MY_API_KEY={CANARIES[0]}", "--env", "PLAIN=value"]
    yard.call("run", "-d", "--name", "typed", *words, *yard.trainer("typed", lines=2))
    assert yard.settled("typed").reason is Reason.SUCCEEDED
    assert hits(yard) == set()
    job = files.read_json(yard.run("typed").job) or {}
    assert (job["env"], job["env_names"]) == ({"PLAIN": "value"}, ["MY_API_KEY"])


def hits(yard: Yard, besides: str = "") -> set[str]:
    """The canaries that some file of the home holds."""
    found: set[str] = set()
    for parent, _, names in os.walk(yard.home.path):
        for name in names:
            path = Path(parent, name)
            if name != besides and path.is_file():
                data = path.read_bytes()
                found.update(one for one in CANARIES if one.encode() in data)
    return found
