"""`trainctl checkpoint list` over 20,000 checkpoints in 100,000 files, against `find`."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO

from bench.inspecting import wall
from bench.measure import cpu, interleaved, wait_until
from bench.place import Place
from bench.rows import Row, more_cpu, not_run

_RUNS, _EACH = 200, 100
_FRESH_SECONDS = 2.5  # what changed later than this is not kept in the cache


def many_checkpoints(place: Place) -> Iterator[Row]:
    runs = _RUNS // 10 if place.quick else _RUNS
    root = os.path.join(place.path, "tree")
    for run in range(runs):
        for number in range(_EACH):
            _checkpoint(f"{root}/run-{run:03}/checkpoint-{(number + 1) * 100}", number)
    newest = os.stat(root).st_mtime
    wait_until(lambda: _now(place) - newest > _FRESH_SECONDS)
    count = f"{runs * _EACH:,} checkpoints in {runs * _EACH * 5:,} files"
    yield from _against_find(place, root, count)
    yield _with_cache(place, root, count)
    shutil.rmtree(root)


def _now(place: Place) -> float:
    """By the clock of the file system, which stamps what is made."""
    mark = os.path.join(place.path, "now")
    with open(mark, "w"):
        return os.stat(mark).st_mtime


def _against_find(place: Place, root: str, count: str) -> Iterator[Row]:
    find = shutil.which("find")
    if find is None:
        yield not_run("checkpoint list without a cache", "needs find")
        return
    ours = [place.trainctl, "checkpoint", "list", root]
    catalogue = os.path.join(place.home, "catalogue")

    def without_cache() -> float:
        shutil.rmtree(catalogue, ignore_errors=True)
        return wall(ours, place.env)()

    tries = {"ours": without_cache, "find": wall([find, root, "-type", "f"], place.env)}
    seen = interleaved(tries, place.rounds(15))
    faster = seen["find"] / seen["ours"]
    yield Row(
        f"checkpoint list of {count}, no cache, wall, against find -type f",
        f"{seen['ours'] * 1000:.0f} ms",
        f"{seen['find'] * 1000:.0f} ms",
        f"{faster:.2f} x",
        ">= 1 x",
        faster >= 1,
        round(faster, 2),
    )


def _with_cache(place: Place, root: str, count: str) -> Row:
    ours = cpu([place.trainctl, "checkpoint", "list", root], place.env)
    version = cpu([place.trainctl, "--version"], place.env)
    seen = interleaved({"ours": ours, "version": version}, place.rounds(20))
    what = f"checkpoint list of {count}, cached, CPU, against --version"
    return more_cpu(what, seen["ours"], seen["version"], 60)


def _checkpoint(path: str, number: int) -> None:
    """As Hugging Face's Trainer lays one out, with tensors of one element."""
    os.makedirs(path)
    header = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    told = json.dumps(header).encode()
    files = {
        "model.safetensors": struct.pack("<Q", len(told)) + told + bytes(4),
        "optimizer.pt": _ZIP,
        "scheduler.pt": _ZIP,
        "rng_state.pth": _ZIP,
        "trainer_state.json": json.dumps(
            {"global_step": (number + 1) * 100, "epoch": number / 10, "log_history": []}
        ).encode(),
    }
    for name, data in files.items():
        with open(f"{path}/{name}", "wb") as file:
            file.write(data)


def _zip() -> bytes:
    """What torch.save makes of an empty dict."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
    return made.getvalue()


_ZIP = _zip()
