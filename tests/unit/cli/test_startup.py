"""What a command line may import before it answers: judged by the list, never by a clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainctl.cli.table import COMMANDS

HEAVY = {"rich", "sqlite3", "asyncio", "psutil"}
NOT_FOR_HELP = HEAVY | {
    "ctypes", "dataclasses", "difflib", "hashlib", "json", "pathlib", "socket", "subprocess",
    "tomllib", "zipfile", "trainctl.control.wiring", "trainctl.platforms",
    "trainctl.records.record",
}  # fmt: skip
PROGRAM = """
import sys
before = set(sys.modules)  # what this interpreter is set up to import at every start
sys.argv = ["trainctl", *sys.argv[1:]]
from trainctl.cli.entry import main
code = main()
sys.stderr.write("\\n" + " ".join(set(sys.modules) - before))
sys.exit(code)
"""


def imported(home: Path, *words: str) -> set[str]:
    """The modules that a command line has imported by its end, its output going to a pipe."""
    env = {**os.environ, "TRAINCTL_HOME": str(home / "home"), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=home, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout or words == ("list",)
    return set(done.stderr.rpartition("\n")[2].split())


INTERRUPTED = """
import importlib.abc, sys
late = sys.argv.pop(1)
class Ctrl_C(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *rest):
        if name == late:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Ctrl_C())
from trainctl.cli.entry import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["trainctl.cli.main", "click", "trainctl.control.home"])
def test_an_interrupt_while_modules_are_imported_is_no_traceback(tmp_path: Path, module: str):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, "list"],
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "\n")


@pytest.mark.parametrize("word", ["--help", "-h", "help", "--version"])
def test_the_top_page_is_printed_before_anything_is_imported(tmp_path: Path, word: str):
    assert imported(tmp_path, word) & (NOT_FOR_HELP | {"click", "re", "typing"}) == set()


@pytest.mark.parametrize("command", [entry.name for entry in COMMANDS])
def test_a_page_of_help_needs_click_and_little_else(tmp_path: Path, command: str):
    assert imported(tmp_path, command, "--help") & NOT_FOR_HELP == set()


def test_a_list_to_a_pipe_draws_with_nothing_and_starts_nothing(tmp_path: Path):
    unwanted = (HEAVY - {"sqlite3"}) | {"ctypes", "socket", "subprocess", "zipfile"}
    assert imported(tmp_path, "list") & (unwanted | {"trainctl.control.launch"}) == set()
