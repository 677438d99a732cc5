"""How late `trainctl logs -f` shows a line."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence

from bench.measure import spawn
from bench.place import Place
from bench.rows import Row

PER_SECOND = 50
_SCRIPT = f"""
import sys, time
for _ in range(int(sys.argv[1])):
    time.sleep(1 / {PER_SECOND})
    print(time.monotonic(), flush=True)
"""
_WITHOUT_INOTIFY = """
import sys
from trainctl.telemetry import inotify
def refuse(self):
    raise OSError("refused, to measure polling")
inotify.Inotify.__init__ = refuse
from trainctl.cli.entry import main
sys.exit(main())
"""


def follow_latency(place: Place) -> Iterator[Row]:
    script = os.path.join(place.path, "ticks.py")
    with open(script, "w") as file:
        file.write(_SCRIPT)
    lines = 100 if place.quick else 500
    floor = _latency(place, [place.python, script, str(lines)])
    ways = (
        ("inotify", 10, [place.trainctl]),
        ("polling", 60, [place.python, "-c", _WITHOUT_INOTIFY]),
    )
    for how, at_most, trainctl in ways:
        run = place.start("--python", place.python, script, str(lines))
        late = _latency(place, [*trainctl, "logs", "-f", run.name])
        place.wait(run)
        yield Row(
            f"logs -f at {PER_SECOND} lines/s by {how}, median latency",
            f"{late:.2f} ms",
            f"{floor:.2f} ms, a pipe",
            f"{late:.2f} ms",
            f"<= {at_most} ms",
            late <= at_most,
            round(late, 3),
        )


def _latency(place: Place, command: Sequence[str]) -> float:
    """Milliseconds between a line's own time and its arrival, the first second left out."""
    ours, theirs = os.pipe()
    pid = spawn(command, place.env, out=theirs)
    os.close(theirs)
    late: list[float] = []
    with open(ours, "rb", buffering=0) as pipe:
        rest = b""
        while data := pipe.read(65536):
            now = time.monotonic()
            *whole, rest = (rest + data).split(b"\n")
            late.extend((now - float(line)) * 1000 for line in whole)
    os.waitpid(pid, 0)
    return statistics.median(late[PER_SECOND:])
