"""`python -m bench [NAMES...] [--quick]`: one table on stdout, and bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from bench.cataloguing import many_checkpoints
from bench.firstline import first_line
from bench.following import follow_latency
from bench.inspecting import one_checkpoint
from bench.listing import many_runs
from bench.place import HERE, Place
from bench.rows import Row, table
from bench.startup import help_pages
from bench.streams import flood_detached, flood_foreground
from bench.training import charlm
from bench.transfers import transfers

BARS: Mapping[str, Callable[[Place], Iterator[Row]]] = {
    "help": help_pages,
    "list": many_runs,
    "first-line": first_line,
    "follow": follow_latency,
    "flood": flood_detached,
    "foreground": flood_foreground,
    "charlm": charlm,
    "checkpoint": one_checkpoint,
    "checkpoint-list": many_checkpoints,
    "transfers": transfers,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="What trainctl costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BARS))
    parser.add_argument("--quick", action="store_true", help="small and noisy, to try it out")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BARS]
    if unknown:
        parser.error(f"there is no bar {unknown[0]!r}; there are: {', '.join(BARS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended too
    rows: list[Row] = []
    load = [os.getloadavg()[0]]
    for name in given.names or BARS:
        sys.stderr.write(f"bench: {name}\n")
        rows.extend(_measured(name, quick=given.quick))
    load.append(os.getloadavg()[0])
    print(table(rows))
    print(f"\n{_host()}; load {load[0]:.1f} before, {load[1]:.1f} after")
    _write(rows, quick=given.quick)
    return 1 if any(row.met is False for row in rows) else 0


def _measured(name: str, *, quick: bool) -> list[Row]:
    """Its rows; one that says why there are none, and is not met, where something failed."""
    try:
        with Place(quick=quick) as place:
            return list(BARS[name](place))
    except (OSError, RuntimeError, TimeoutError) as error:
        return [Row(name, f"failed: {str(error).strip().splitlines()[-1]}", "", "", "", False)]


def _host() -> str:
    return f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def _write(rows: list[Row], *, quick: bool) -> None:
    told = {"at": time.time(), "host": _host(), "quick": quick}
    told["rows"] = [row._asdict() for row in rows]
    (HERE / "results.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
