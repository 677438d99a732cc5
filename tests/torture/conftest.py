"""What torture tests share: a yard of runs that leaves nothing behind, and the scoreboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.board import DETECTIONS, ROWS, Board, detections, table
from tests.torture.yard import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with Yard(tmp_path) as made:
        yield made


@pytest.fixture
def board() -> Board:
    return Board()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ROWS:
        terminalreporter.section("scoreboard")
        terminalreporter.write_line(table(ROWS))
    if DETECTIONS:
        terminalreporter.section("who sees a damaged checkpoint")
        terminalreporter.write_line(detections(DETECTIONS))
