"""What every test may use: the interpreters of this machine, the tiers, and how often to kill."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests import interpreters as found

TIERS = ("unit", "conformance", "chaos", "e2e", "torture", "frameworks")
SECONDS = {"frameworks": 300, "e2e": 300, "torture": 600}  # a test's, unless it says so itself
SAMPLE = 50  # kills in `./run test`; `./run torture` asks for more

hypothesis.settings.register_profile("here", deadline=None)  # the machine may be busy
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=SAMPLE, help="random kills per torture test")


def kills_asked(config: pytest.Config) -> int:
    return int(str(config.getoption("--kills")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test's folder is its tier: mark it so, and give it that tier's time."""
    patience = max(1, kills_asked(config) // SAMPLE)
    for item in items:
        tier = item.path.relative_to(Path(__file__).parent).parts[0]
        if tier not in TIERS:
            continue
        item.add_marker(tier)
        if tier in SECONDS and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS[tier] * patience))


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many random kills a torture test should make."""
    return kills_asked(request.config)


@pytest.fixture(scope="session")
def interpreters() -> dict[str, Path]:
    """The Pythons of this machine that kit and supervisor must run under: version to path."""
    return found.find(os.environ)


@pytest.fixture(params=found.VERSIONS)
def interpreter(request: pytest.FixtureRequest, interpreters: dict[str, Path]) -> Path:
    """Each of those Pythons in turn; where one is missing, the test is reported as not run."""
    if request.param not in interpreters:
        pytest.skip(f"not run: Python {request.param} is not on this machine")
    return interpreters[request.param]
