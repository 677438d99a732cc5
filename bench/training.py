"""A real training run: the CPU of those who watch it, against its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from bench.measure import adopt_orphans
from bench.place import HERE, Place
from bench.rows import Row, not_run
from trainctl.kit import files
from trainctl.kit.names import RunFolder

_WHAT = "CPU of waiter and agent over charlm.py, against the trainer's"


def charlm(place: Place) -> Iterator[Row]:
    if importlib.util.find_spec("torch") is None:
        yield not_run(_WHAT, "needs torch")
        return
    if not adopt_orphans():
        yield not_run(_WHAT, "needs Linux, to be told the CPU of processes that are not ours")
        return
    steps = "30" if place.quick else "300"
    run = place.start(
        "--python", place.python, str(HERE.parent / "examples/charlm.py"), "--steps", steps
    )
    everybody = _cpu_seconds_of_orphans()
    trainer = _trainer(run)
    ours = everybody - trainer
    share = ours / trainer
    yield Row(
        _WHAT,
        f"{ours:.2f} s",
        f"{trainer:.1f} s",
        f"{share:.2%}",
        "<= 2 %",
        share <= 0.02,
        round(share, 5),
    )


def _cpu_seconds_of_orphans() -> float:
    """Wait for all; the waiter counts with its trainer, whom it has waited for."""
    total = 0.0
    while True:
        try:
            _, _, used = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += used.ru_utime + used.ru_stime


def _trainer(run: RunFolder) -> float:
    ended = files.read_json(run.attempt(1).exit)
    if ended is None or ended["code"] != 0:
        raise RuntimeError(f"charlm.py failed: {ended}")
    return float(ended["cpu_seconds"])
