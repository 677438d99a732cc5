"""docs/checkpoints.md names the formats that there are, and the versions that are installed."""

from __future__ import annotations

import re
from pathlib import Path

from trainctl.checkpoints.formats import registry

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/checkpoints.md").read_text()


def test_every_format_is_named():
    known = [name for name in registry.names() if name != "hdf5"]  # HDF5 that is not Keras'
    assert [name for name in known if f"`{name}`" not in TEXT] == []


def test_every_proof_is_there():
    named = set(re.findall(r"`(make_\w+\.py)`", TEXT))
    assert named == {path.name for path in (ROOT / "tests/frameworks").glob("make_*.py")}


def test_versions_are_those_that_are_locked():
    told = set(re.findall(r"\b([a-z-]+) (\d+\.\d+\.\d+)", TEXT))
    locked = re.findall(r"^([\w-]+)==([\d.]+)", locks(), re.MULTILINE)
    assert {("transformers", "5.23.0"), ("keras", "3.15.1")} <= told
    assert told - {("torch", torch())} <= set(locked)


def locks() -> str:
    return (ROOT / "requirements/frameworks.in").read_text()


def torch() -> str:
    found = re.search(r'^torch := "([\d.]+)"', (ROOT / "justfile").read_text(), re.MULTILINE)
    assert found
    return found[1]
