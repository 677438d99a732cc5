"""A real training run: the CPU of those who watch it, against its own."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.measure import adopt_orphans
from bench.place import HERE, Place
from bench.rows import Row, not_run
from trainctl.kit import events, files
from trainctl.kit.names import RunFolder

_WATCHING = "CPU of waiter and agent over charlm.py, against the trainer's"
_TO_FOLDER = "the same, a save every few seconds, hashed and pushed to a folder"
_TO_SERVER = "the same, pushed to an S3 server on this machine"


def charlm(place: Place) -> Iterator[Row]:
    if importlib.util.find_spec("torch") is None:
        yield not_run(_WATCHING, "needs torch")
        return
    if not adopt_orphans():
        yield not_run(_WATCHING, "needs Linux, to be told the CPU of processes that are not ours")
        return
    steps = 30 if place.quick else 300
    yield _row(_WATCHING, 0.02, _train(place, [], ["--steps", str(steps)]))
    saves = steps // 15
    often = ["--steps", str(50 * saves), "--save-every", "50"]
    run = _train(place, ["--store", os.path.join(place.path, "store")], often)
    yield _row(_TO_FOLDER, 0.04, run, saves)
    with _server(place) as (pid, options):
        run = _train(place, options, often)
        place.wait(run)
        os.kill(pid, signal.SIGKILL)
        yield _row(_TO_SERVER, 0.04, run, saves, but=pid)


def _train(place: Place, ours: list[str], theirs: list[str]) -> RunFolder:
    script = str(HERE.parent / "examples/charlm.py")
    return place.start("--python", place.python, *ours, script, *theirs)


@contextmanager
def _server(place: Place) -> Iterator[tuple[int, list[str]]]:
    """A null server's pid, and the options of a run that pushes there."""
    program = [place.python, str(HERE / "null_server.py"), place.path]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        place.env["TRAINCTL_STORE_ENDPOINT"] = (
            f"http://127.0.0.1:{server.stdout.readline()}".strip()
        )
        place.env["AWS_ACCESS_KEY_ID"] = place.env["AWS_SECRET_ACCESS_KEY"] = "null"
        try:
            yield server.pid, ["--store", "s3://bucket/prefix"]
        finally:
            server.kill()


def _row(what: str, most: float, run: RunFolder, saves: int = 0, but: int = 0) -> Row:
    """saves: how many checkpoints must have been pushed. but: a process that does not count."""
    everybody = _cpu_seconds_of_orphans(but)
    trainer = _trainer(run)
    told = [record["event"] for record in events.read(run.attempt(1).checkpoints).records]
    if told.count("pushed") != saves:
        raise RuntimeError(f"{told.count('pushed')} checkpoints were pushed, not {saves}")
    share = (everybody - trainer) / trainer
    return Row(
        what,
        f"{everybody - trainer:.2f} s",
        f"{trainer:.1f} s",
        f"{share:.2%}",
        f"<= {most:.0%}".replace("%", " %"),
        share <= most,
        round(share, 5),
    )


def _cpu_seconds_of_orphans(but: int) -> float:
    """Wait for all; the waiter counts with its trainer, whom it has waited for."""
    total = 0.0
    while True:
        try:
            pid, _, used = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += used.ru_utime + used.ru_stime if pid != but else 0.0


def _trainer(run: RunFolder) -> float:
    ended = files.read_json(run.attempt(1).exit)
    if ended is None or ended["code"] != 0:
        raise RuntimeError(f"charlm.py failed: {ended}")
    return float(ended["cpu_seconds"])
