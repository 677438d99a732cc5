"""Looking into one large checkpoint, and hashing it, against what a user would run instead."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bench.measure import interleaved, spawn
from bench.place import Place
from bench.rows import Row, no_bar, not_run

_ROUNDS = 5
_LAYERS = 336  # with what AdamW keeps of each, and its steps: 1,344 tensors, as a 350 M model has
_MAKE = """
import sys, torch
size, layers, *paths = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
rows = size // 4 // 3 // layers // 1024 // len(paths)
for path in paths:
    names = [f"transformer.h.{n // 14}.part{n % 14}.weight" for n in range(layers)]
    weights = {name: torch.randn(rows, 1024) for name in names}
    state = {n: {"step": torch.tensor(9.0), "exp_avg": torch.randn(rows, 1024),
        "exp_avg_sq": torch.rand(rows, 1024)} for n in range(layers)}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "params": list(range(layers))}]
    optimizer = {"state": state, "param_groups": groups}
    torch.save({"model": weights, "optimizer": optimizer, "step": 9, "loss": 0.5}, path)
"""
_LOAD = "import sys, torch; torch.load(sys.argv[1]{})"


class Used(NamedTuple):
    """Of one command: wall seconds, and the most that it had resident, in MB of 1e6 bytes."""

    seconds: float
    peak_mb: float


def used_by(command: Sequence[str], env: dict[str, str]) -> Used:
    """Raises RuntimeError where it fails: that is no measurement."""
    began = time.perf_counter()
    _, status, used = os.wait4(spawn(command, env), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"exit status {status}: {' '.join(command)}")
    return Used(time.perf_counter() - began, used.ru_maxrss * 1024 / 1e6)


def wall(command: Sequence[str], env: dict[str, str]) -> Callable[[], float]:
    """A try for `interleaved`: the wall seconds of a command."""
    return lambda: used_by(command, env).seconds


def one_checkpoint(place: Place) -> Iterator[Row]:
    """`checkpoint info` and `verify` of 4 GB; every file is in the page cache, for both sides."""
    if importlib.util.find_spec("torch") is None:
        yield not_run("checkpoint info and verify", "needs torch")
        return
    size = 400_000_000 if place.quick else 4_000_000_000
    path = os.path.join(place.path, "adamw.pt")
    _make(place, size, path)
    yield from _info(place, path)
    yield from _verify(place, "one file", [path], path, 0.8)
    os.unlink(path)
    folder = os.path.join(place.path, "step_9")
    os.mkdir(folder)
    both = [os.path.join(folder, name) for name in ("model.pt", "optimizer.pt")]
    _make(place, size, *both)
    yield from _verify(place, "two files", both, folder, 1.5)
    shutil.rmtree(folder)


def _make(place: Place, size: int, *paths: str) -> None:
    command = [place.python, "-c", _MAKE, str(size), str(_LAYERS), *paths]
    subprocess.run(command, env=place.env, check=True, capture_output=True)


def _info(place: Place, path: str) -> Iterator[Row]:
    ours = [place.trainctl, "checkpoint", "info", path]
    mapped = [place.python, "-c", _LOAD.format(", mmap=True, weights_only=True"), path]
    plain = [place.python, "-c", _LOAD.format(""), path]
    tries = {"ours": ours, "mmap": mapped, "plain": plain}
    seen = interleaved({name: wall(c, place.env) for name, c in tries.items()}, _ROUNDS)
    what = f"checkpoint info, {os.path.getsize(path) / 1e9:.1f} GB, wall, against torch.load"
    yield _times(f"{what}(mmap=True, weights_only=True)", seen["ours"], seen["mmap"], 15)
    yield _times(f"{what}()", seen["ours"], seen["plain"], 40)
    peak = used_by(ours, place.env).peak_mb
    floor = used_by(mapped, place.env).peak_mb
    yield Row(
        "  its peak memory, against that of the mapped one",
        f"{peak:.0f} MB",
        f"{floor:.0f} MB",
        f"{peak:.0f} MB",
        "< 40 MB",
        peak < 40,
        round(peak, 1),
    )


def _times(what: str, ours: float, theirs: float, at_least: float) -> Row:
    times = theirs / ours
    return Row(
        what,
        f"{ours * 1000:.0f} ms",
        f"{theirs * 1000:.0f} ms",
        f"{times:.1f} x",
        f">= {at_least:g} x",
        times >= at_least,
        round(times, 2),
    )


def _verify(
    place: Place, what: str, files: list[str], checkpoint: str, at_least: float
) -> Iterator[Row]:
    peer = shutil.which("sha256sum")
    if peer is None:
        yield not_run(f"checkpoint verify, {what}", "needs sha256sum")
        return
    ours = [place.trainctl, "checkpoint", "verify", checkpoint]
    tries = {"ours": wall(ours, place.env), "peer": wall([peer, *files], place.env)}
    openssl = shutil.which("openssl")
    if openssl:
        tries["openssl"] = wall([openssl, "dgst", "-sha256", *files], place.env)
    seen = interleaved(tries, max(2, _ROUNDS - 2))  # the round that warms up makes its manifest
    size = sum(os.path.getsize(file) for file in files) / 1e9
    rate = {name: size / seconds for name, seconds in seen.items()}
    times = rate["ours"] / rate["peer"]
    yield Row(
        f"checkpoint verify, {size:.1f} GB in {what}, against sha256sum",
        f"{rate['ours']:.2f} GB/s",
        f"{rate['peer']:.2f} GB/s",
        f"{times:.2f} x",
        f">= {at_least:g} x",
        times >= at_least,
        round(times, 2),
    )
    if openssl:
        told = f"{rate['openssl']:.2f} GB/s"
        yield no_bar("  the same by openssl dgst -sha256", told, rate["openssl"])
