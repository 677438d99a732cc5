"""A command line of its own for each test, and scripts that behave as training scripts do."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.line import CommandLine

TRAIN = """\
import argparse, json, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=3)
parser.add_argument("--sleep", type=float, default=0)
parser.add_argument("--out", default="out")
parser.add_argument("--resume")
parser.add_argument("--exit", type=int, default=0)
parser.add_argument("--crash-at", type=int)
args = parser.parse_args()
os.makedirs(args.out, exist_ok=True)
first = 1
if args.resume:
    first = json.load(open(args.resume))["step"] + 1
    print("resumed at", first)
for step in range(first, args.steps + 1):
    print("step", step, flush=True)
    time.sleep(args.sleep)
    path = f"{args.out}/step_{step}.pt"
    with open(path + ".tmp", "w") as file:
        json.dump({"step": step}, file)
    os.rename(path + ".tmp", path)
    if step == args.crash_at:
        sys.exit(7)
sys.exit(args.exit)
"""
ECHO = """\
import json, os, sys
print(json.dumps([os.fsencode(word).decode("latin-1") for word in sys.argv[1:]]))
"""


@pytest.fixture
def trainctl(tmp_path: Path) -> Generator[CommandLine]:
    """train.py counts steps and saves each; echo.py prints its arguments as JSON."""
    line = CommandLine(tmp_path)
    line.write("train.py", TRAIN)
    line.write("echo.py", ECHO)
    yield line
    line.end_all()
