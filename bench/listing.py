"""`trainctl list` over many runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from bench.measure import cpu, cpu_of, interleaved
from bench.place import Place
from bench.rows import Row, more_cpu, no_bar
from trainctl.kit.names import Home, RunFolder
from trainctl.records.index import Index
from trainctl.records.rows import Row as ListRow

COUNTS = (1_000, 100_000)
_LINKS = 50_000  # ext4 knows at most 65,000 names of one file
_BEGAN = 1_790_000_000.0


def many_runs(place: Place) -> Iterator[Row]:
    real = _real_run(place)
    counts = (1_000, 10_000) if place.quick else COUNTS
    homes = [_filled(place, real, count) for count in counts]
    tries = {"pass": cpu([place.python, "-c", "pass"], place.env)}
    for count, home in zip(counts, homes, strict=True):
        tries[str(count)] = cpu([place.trainctl, "list"], {**place.env, "TRAINCTL_HOME": home})
    seen = interleaved(tries, place.rounds(20))
    for count in counts:
        yield more_cpu(f"list over {count:,} runs, CPU", seen[str(count)], seen["pass"], 100)
    rebuild = _rebuild(place, real)
    yield no_bar("  an index rebuilt from 1,000 run folders, CPU", f"{rebuild:.0f} ms", rebuild)
    for home in homes:
        shutil.rmtree(home)


def _real_run(place: Place) -> RunFolder:
    run = place.start("--python", place.python, "--name", "real", _script(place))
    place.wait(run)
    return run


def _script(place: Place) -> str:
    path = os.path.join(place.path, "hello.py")
    with open(path, "w") as file:
        file.write("print('hello')\n")
    return path


def _filled(place: Place, real: RunFolder, count: int) -> str:
    """A home with so many runs: folders with a job each, and an index that knows them."""
    home = Home(os.path.join(place.path, f"home-{count}"))
    os.makedirs(home.runs, mode=0o700)
    os.chmod(home.path, 0o700)
    job = ""
    for number in range(count):
        run = home.run(_name(number))
        os.mkdir(run.path)
        if number % _LINKS == 0:
            job = shutil.copy(real.job, run.job)
        else:
            os.link(job, run.job)
    with Index.open(home) as index:
        index.catch_up(_row)
    return home.path


def _name(number: int) -> str:
    return f"train-{number:06d}"


def _row(name: str) -> ListRow:
    number = int(name.rpartition("-")[2])
    state = ("succeeded", "failed", "stopped", "out_of_memory")[number % 4]
    at = _BEGAN + number * 60
    command = f"train.py --lr {number % 97} --epochs {number % 13}"
    return ListRow(
        name, "ended", state, 0, at, at, at + 50, 1, 0, number, 5, "local", " sweep ", command
    )


def _rebuild(place: Place, real: RunFolder) -> float:
    """CPU milliseconds of `list` where the index is gone; the folders are whole ones."""
    home = Home(os.path.join(place.path, "home-rebuilt"))
    os.makedirs(home.runs, mode=0o700)
    os.chmod(home.path, 0o700)
    for number in range(1_000):
        shutil.copytree(real.path, home.run(_name(number)).path, copy_function=os.link)
    took = cpu_of([place.trainctl, "list"], {**place.env, "TRAINCTL_HOME": home.path})
    shutil.rmtree(home.path)
    return took
