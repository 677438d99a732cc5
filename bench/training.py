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

_WATCHING = "CPU of waiter and agent over charlm.py, against the trainer's"
_KEEPING = "the same, a save every few seconds, hashed and pushed to a folder"


def charlm(place: Place) -> Iterator[Row]:
    if importlib.util.find_spec("torch") is None:
        yield not_run(_WATCHING, "needs torch")
        return
    if not adopt_orphans():
        yield not_run(_WATCHING, "needs Linux, to be told the CPU of processes that are not ours")
        return
    steps = 30 if place.quick else 300
    yield _row(place, _WATCHING, 0.02, [], ["--steps", str(steps)])
    store = os.path.join(place.path, "store")
    ours = ["--store", store, "--push", "all"]
    saves = steps * 3 // 20
    theirs = ["--steps", str(10 * saves), "--save-every", "10"]
    yield _row(place, _KEEPING, 0.04, ours, theirs)
    pushed = len(os.listdir(os.path.join(store, "runs", *os.listdir(f"{store}/runs"))))
    if pushed != saves:
        raise RuntimeError(f"{pushed} checkpoints were pushed: not what was to be measured")


def _row(place: Place, what: str, most: float, ours: list[str], theirs: list[str]) -> Row:
    script = str(HERE.parent / "examples/charlm.py")
    run = place.start("--python", place.python, *ours, script, *theirs)
    everybody = _cpu_seconds_of_orphans()
    trainer = _trainer(run)
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
