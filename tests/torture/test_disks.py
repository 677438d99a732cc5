"""Disks that lose their power, flip a bit or are full: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import need
from tests.conftest import SAMPLE
from tests.torture.board import Board
from tests.torture.yard import Traces, Yard, wait_for, whole_log
from trainctl.kit import events
from trainctl.kit.names import Home
from trainctl.records import record
from trainctl.records.state import Reason

FLIPS = 1000
PAGE = 4
pytestmark = pytest.mark.timeout(1800)


def in_own_mounts(*words: str) -> list[str]:
    """A command whose mounts nobody else sees, and which are gone when it is."""
    return ["unshare", "--mount", "--propagation", "private", *words]


@need.root()
@need.tool("unshare")
@need.tool("mkfs.ext4")
def test_a_power_cut_takes_nothing_that_was_acknowledged(
    tmp_path: Path, board: Board, kills: int
) -> None:
    script = str(Path(__file__).with_name("powercut.py"))
    cuts = max(20, min(300, kills // 2))
    source = str(Path(events.__file__).parents[2])
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    child = subprocess.Popen(
        in_own_mounts(sys.executable, script, str(tmp_path), str(cuts)),
        env={"PATH": path, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate()
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode and "mount" in said:
        pytest.skip(f"not run: no loop ext4 here: {said.strip()[-200:]}")
    assert child.returncode == 0, said
    made, lost = map(int, said.split()[-2:])
    board.note("power cut", injected=made, lost=lost, doubled=0)


def test_every_flipped_bit_of_an_event_log_shows(yard: Yard, board: Board) -> None:
    yard.call("run", "-d", "--name", "flips", *yard.trainer("flips", lines=2, seconds=0.02))
    assert yard.settled("flips").reason is Reason.SUCCEEDED
    run = yard.run("flips")
    logs = [Path(run.events), Path(run.attempt(1).events)]
    randomness = random.Random(20260101)
    unnoticed = 0
    for _ in range(FLIPS):
        log = randomness.choice(logs)
        whole = log.read_bytes()
        at, bit = randomness.randrange(len(whole)), 1 << randomness.randrange(8)
        damaged = log.with_name("damaged.jsonl")
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        seen = events.read(str(damaged))
        intact = [entry for entry in seen.records if entry not in events.read(str(log)).records]
        unnoticed += not seen.corrupt or bool(intact)
    board.note("bit flip in an event log", injected=FLIPS, lost=unnoticed, doubled=0)


FULL_DISK = """
set -e
mount -t tmpfs -o size=$2,mode=700 tmpfs "$1"
free=$(df --output=avail -B1 "$1" | tail -1)
head -c $((free - $3)) /dev/zero > "$1/ballast"
shift 3
code=0
"$@" || code=$?
rm "$TRAINCTL_HOME/ballast"
exec sleep 30 > /dev/null 2>&1 < /dev/null &
echo "code $code mounts $!"
"""


@need.root()
@need.tool("unshare")
@need.tool("nsenter")
def test_a_full_disk_refuses_a_run_or_lets_it_come_to_its_end(
    tmp_path: Path, board: Board, kills: int
) -> None:
    """From no page free to enough for all, with room made once the command has returned."""
    sizes = range(0, 160, PAGE) if kills > SAMPLE else [0, 40, *range(88, 128, PAGE)]
    with ThreadPoolExecutor(3) as pool:
        said = [*pool.map(lambda kilobytes: full_disk(tmp_path, kilobytes << 10), sizes)]
    bad = [one for one in said if one]
    print(*bad, sep="\n")
    doubled = sum("twice" in one for one in bad)
    board.note("full disk", injected=len(sizes), lost=len(bad) - doubled, doubled=doubled)


def full_disk(folder: Path, free: int) -> str:
    """What is bad about a run on a disk with so many bytes free; empty where nothing is."""
    with Yard(folder / str(free)) as yard:
        trainer = yard.trainer("full", lines=5, seconds=0.3)
        words = [
            yard.home.path,
            "2m",
            str(free),
            *yard.cli("run", "-d", "--name", "full", *trainer),
        ]
        done = subprocess.run(
            in_own_mounts("sh", "-c", FULL_DISK, "sh", *words),
            env={**yard.environ, "PATH": yard.environ["PATH"] + ":/usr/sbin:/sbin"},
            cwd=yard.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if "mounts" not in done.stdout:
            return f"{free} free: {done.stdout} {done.stderr}"
        code, inside = int(done.stdout.split()[-3]), int(done.stdout.split()[-1])
        try:
            return _bad_when_full(yard, free, code, inside, done.stderr)
        finally:
            os.kill(inside, signal.SIGKILL)


def _bad_when_full(yard: Yard, free: int, code: int, inside: int, said: str) -> str:
    """inside: a process that keeps the mounts, through which the home can be seen from here."""
    home = f"/proc/{inside}/root{yard.home.path}"
    seen = subprocess.run(
        ["nsenter", f"--mount=/proc/{inside}/ns/mnt", *yard.cli("list", "--json")],
        env=yard.environ,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    traces = Traces(yard, "full")
    if seen.returncode:
        return f"{free} free: the next command: {seen.stderr}"
    if traces.doubled:
        return f"{free} free: a trainer ran twice"
    if code:
        refused = "trainctl: " in said and "Traceback" not in said
        return "" if refused and not traces.starts else f"{free} free, code {code}: {said}"
    return _bad_end(free, home, traces)


def _bad_end(free: int, home: str, traces: Traces) -> str:
    run = Home(home).run("full")
    wait_for(lambda: not record.read(run).living)
    found = record.read(run)
    log = Path(run.attempt(1).log)
    if traces.starts and found.reason is Reason.SUCCEEDED:
        return "" if log.read_bytes() == whole_log(5) else f"{free} free: the log is not whole"
    honest = found.reason in {Reason.FAILED, Reason.DISK_FULL, Reason.SETUP_FAILED}
    return "" if honest else f"{free} free: {found.reason}: {found.evidence}"
