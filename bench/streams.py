"""A program that floods its output: what watching it costs, and how fast it is streamed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from bench.measure import cpu_of, interleaved, peak_memory_mb, spawn, wait_until
from bench.place import Place
from bench.rows import Row
from trainctl.kit import files, locks
from trainctl.kit.names import RunFolder

LINE = 100
BLOCK = 4096  # what C's and Python's own buffers write
AT_LEAST_MB = 200


def flood_detached(place: Place) -> Iterator[Row]:
    size = _size(place)
    peaks = {"agent": 0.0, "waiter": 0.0}
    seen = interleaved(
        {"> file": _into_file(place, size), "run": _detached(place, size, peaks)},
        place.rounds(5),
    )
    ratio = seen["run"] / seen["> file"]
    what = f"{size / 1e9:g} GB of lines by write(2), detached against > file, wall"
    yield Row(
        what,
        f"{seen['run']:.2f} s",
        f"{seen['> file']:.2f} s",
        f"{ratio:.3f}",
        "<= 1.05",
        ratio <= 1.05,
        round(ratio, 4),
    )
    for who, most in (("agent", 40.0), ("waiter", 16.0)):
        peak = peaks[who]
        said = f"{peak:.1f} MB"
        yield Row(
            f"  {who}'s peak resident memory meanwhile", said, "", said, f"<= {most:g} MB",
            0 < peak <= most, round(peak, 2),
        )  # fmt: skip


def flood_foreground(place: Place) -> Iterator[Row]:
    size = _size(place)
    seen = interleaved(
        {
            "> file": _into_file(place, size),
            "lines": _piped(place, size, LINE),
            "> file blocks": _into_file(place, size, BLOCK),
            "blocks": _piped(place, size, BLOCK),
        },
        place.rounds(5),
    )
    what = f"{size / 1e9:g} GB in the foreground to a pipe, writes of"
    blocks, quick = (size / seen[key] / 1e6 for key in ("blocks", "> file blocks"))
    met = blocks >= AT_LEAST_MB
    yield _speed(f"{what} {BLOCK} B", blocks, quick, f">= {AT_LEAST_MB} MB/s", met=met)
    # Each write(2) costs the writer a microsecond: alone it may be slower than the bar.
    lines, alone = (size / seen[key] / 1e6 for key in ("lines", "> file"))
    slow = alone < AT_LEAST_MB
    bar = "none: the writer is slower" if slow else f">= {AT_LEAST_MB} MB/s"
    met = None if slow else lines >= AT_LEAST_MB
    yield _speed(f"{what} {LINE} B", lines, alone, bar, met=met)


def _speed(what: str, speed: float, alone: float, bar: str, *, met: bool | None) -> Row:
    said = f"{speed:.0f} MB/s"
    return Row(what, said, f"{alone:.0f} MB/s > file", said, bar, met, round(speed, 1))


def _size(place: Place) -> int:
    return 100_000_000 if place.quick else 1_000_000_000


def _flood(place: Place, size: int, line: int) -> tuple[list[str], str]:
    told = os.path.join(place.path, "took")
    files.remove(told)
    return [*place.flood(), str(size), str(line), told], told


def _into_file(place: Place, size: int, line: int = LINE) -> Callable[[], float]:
    """Seconds that the writer counts itself, with the environment that a trainer gets."""

    def measure() -> float:
        command, told = _flood(place, size, line)
        path = os.path.join(place.path, "bare.log")
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        cpu_of(command, {**place.env, "PYTHONUNBUFFERED": "1"}, out=out)
        os.close(out)
        os.unlink(path)
        return _seconds(told)

    return measure


def _detached(place: Place, size: int, peaks: dict[str, float]) -> Callable[[], float]:
    def measure() -> float:
        command, told = _flood(place, size, LINE)
        run = place.start(*command)
        while not os.path.exists(run.attempt(1).exit):
            _note_peaks(run, peaks)
            time.sleep(0.25)
        place.wait(run)
        os.unlink(run.attempt(1).log)
        return _seconds(told)

    return measure


def _note_peaks(run: RunFolder, peaks: dict[str, float]) -> None:
    waiter = (files.read_json(run.attempt(1).pid) or {}).get("waiter") or {}
    agent = locks.holder(run.agent_lock)
    for who, found in (("waiter", waiter), ("agent", agent)):
        if "pid" in found:
            peaks[who] = max(peaks[who], peak_memory_mb(int(found["pid"])))


def _piped(place: Place, size: int, line: int) -> Callable[[], float]:
    """Seconds from the first byte out of the pipe to the last."""

    def measure() -> float:
        command, _ = _flood(place, size, line)
        ours, theirs = os.pipe()
        pid = spawn([place.trainctl, "run", *command], place.env, out=theirs)
        os.close(theirs)
        count = len(os.read(ours, 1))
        began = last = time.monotonic()
        while data := os.read(ours, 1 << 20):
            count += len(data)
            last = time.monotonic()
        os.close(ours)
        os.waitpid(pid, 0)
        if count < size:
            raise RuntimeError(f"{count} bytes came out of {size}")
        _forget_logs(place)
        return last - began

    return measure


def _forget_logs(place: Place) -> None:
    for entry in os.scandir(os.path.join(place.home, "runs")):
        run = RunFolder(entry.path)
        wait_until(lambda run=run: not locks.is_taken(run.agent_lock))
        files.remove(run.attempt(1).log)


def _seconds(told: str) -> float:
    wait_until(lambda: os.path.exists(told))
    with open(told) as file:
        return float(file.read())
