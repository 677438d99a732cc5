"""Several commands of a new user at once: each finds or makes the index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OPEN = """
import sys
from trainctl.kit.names import Home
from trainctl.records.index import Index
sys.stdin.read()
Index.open(Home(sys.argv[1])).close()
"""


def test_of_several_who_make_it_at_once_all_succeed(tmp_path: Path):
    for number in range(4):
        home = tmp_path / str(number)
        home.mkdir()
        openers = [
            subprocess.Popen(
                [sys.executable, "-c", OPEN, str(home)],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.close()
            opener.stdin = None
        assert [opener.communicate()[1] for opener in openers] == [""] * 6
