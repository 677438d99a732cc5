"""The console script: answers what needs no parser before one is imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        return _main()
    except KeyboardInterrupt:  # while modules are imported: later it is caught further in
        sys.stderr.write("\n")
        return 130


def _main() -> int:
    words = sys.argv[1:]
    if words in (["--help"], ["-h"], ["help"]):
        from trainctl.cli.table import page
        from trainctl.version import __version__

        sys.stdout.write(page(__version__))
        return 0
    if words in (["--version"], ["-V"]):
        from trainctl.version import __version__

        sys.stdout.write(f"trainctl {__version__}\n")
        return 0
    from trainctl.cli.main import run

    return run(words)
