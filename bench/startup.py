"""What it costs until help is printed: CPU, and what is imported on the way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from bench.measure import cpu, interleaved
from bench.place import Place
from bench.rows import Row, more_cpu
from trainctl.cli.table import COMMANDS

HEAVY = ("rich", "sqlite3", "asyncio", "psutil")
_IMPORTED = """
import sys
before = set(sys.modules)
sys.argv = ["trainctl", *sys.argv[1:]]
from trainctl.cli.entry import main
main()
sys.stderr.write("\\n" + " ".join(set(sys.modules) - before))
"""


def help_pages(place: Place) -> Iterator[Row]:
    nothing = cpu([place.python, "-c", "pass"], place.env)
    top = cpu([place.trainctl, "--help"], place.env)
    seen = interleaved({"pass": nothing, "top": top}, place.rounds(40))
    yield more_cpu("trainctl --help, CPU", seen["top"], seen["pass"], 20)

    names = list(dict.fromkeys(entry.name for entry in COMMANDS))
    pages = {name: cpu([place.trainctl, name, "--help"], place.env) for name in names}
    click = cpu([place.python, "-c", "import click"], place.env)
    seen = interleaved({"pass": nothing, "click": click, **pages}, place.rounds(20))
    worst = max(names, key=seen.__getitem__)
    yield more_cpu(f"trainctl {worst} --help (the worst), CPU", seen[worst], seen["pass"], 60)
    click_ms = seen["click"] - seen["pass"]
    yield Row("  of which importing click", f"{click_ms:+.1f} ms", "", "", "", None, click_ms)
    yield _imports(place, names)


def _imports(place: Place, names: list[str]) -> Row:
    light = ("list",), ("rich", "asyncio", "psutil")
    pages = [(("--help",), HEAVY), *(((name, "--help"), HEAVY) for name in names), light]
    found = [
        f"{' '.join(words)}: {module}"
        for words, unwanted in pages
        for module in sorted(imported(place, *words) & set(unwanted))
    ]
    said = ", ".join(found) or "none"
    what = "heavy modules in help pages and in `list` to a pipe"
    return Row(what, said, "", f"{len(found)}", "none", not found, len(found))


def imported(place: Place, *words: str) -> set[str]:
    """The modules that a command line has imported when it ends, its output going to a pipe."""
    done = subprocess.run(
        [place.python, "-c", _IMPORTED, *words],
        env=place.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.rpartition("\n")[2].split())
