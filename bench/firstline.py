"""How long `trainctl run` delays the first line of a script."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence

from bench.measure import interleaved, spawn
from bench.place import Place
from bench.rows import Row

_SCRIPT = "print('first', flush=True)\n"
_AT_MOST_MS = 200


def first_line(place: Place) -> Iterator[Row]:
    script = os.path.join(place.path, "first.py")
    with open(script, "w") as file:
        file.write(_SCRIPT)
    bare = [place.python, script]
    ours = [place.trainctl, "run", "--python", place.python, script]
    seen = interleaved(
        {"bare": _until_first_byte(place, bare), "run": _until_first_byte(place, ours)},
        place.rounds(30),
    )
    more = seen["run"] - seen["bare"]
    yield Row(
        "trainctl run to the script's first line, wall",
        f"{seen['run']:.0f} ms",
        f"{seen['bare']:.0f} ms",
        f"{more:+.0f} ms",
        f"<= +{_AT_MOST_MS} ms",
        more <= _AT_MOST_MS,
        round(more, 1),
    )


def _until_first_byte(place: Place, command: Sequence[str]) -> Callable[[], float]:
    def measure() -> float:
        ours, theirs = os.pipe()
        began = time.monotonic()
        pid = spawn(command, place.env, out=theirs)
        os.close(theirs)
        os.read(ours, 1)
        took = time.monotonic() - began
        os.waitpid(pid, 0)
        os.close(ours)
        return took * 1000

    return measure
