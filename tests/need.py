"""What a test needs of the machine. Where it is missing, the test is reported as not run.

@need.tool("strace")
def test_a_kill_between_two_writes_leaves_no_bad_state(): ...
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def tool(name: str) -> pytest.MarkDecorator:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return pytest.mark.skipif(not shutil.which(name, path=path), reason=f"not run: needs {name}")


def module(name: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(name) is None
    return pytest.mark.skipif(absent, reason=f"not run: needs the Python package {name}")


def root() -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0, reason="not run: needs root")
