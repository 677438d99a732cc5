"""Hostile files: nothing runs, nothing grows without bound, and each is told for what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.hostile.corpus import corpus

CASES = corpus()
MEMORY = 40 << 20  # bytes for any of them, whatever it claims
MEMORY_FOR_EACH = 250  # more, for each byte that it has
SECONDS = 10  # the longest takes a tenth of one: a hang is what this must find


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-W", "error", "-m", "tests.hostile.watched"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_told_for_what_it_is(seen: dict[str, dict[str, Any]], name: str):
    case, found = CASES[name], seen[name]

    assert found["verdict"] == case.verdict
    assert any(case.says in finding for finding in found["findings"]) or not case.says
    assert set(case.imports) <= set(found["imports"])
    assert bool(found["verified"]) == bool(found["findings"]), "verify and inspect disagree"


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_runs_nothing_and_costs_little(seen: dict[str, dict[str, Any]], name: str):
    found = seen[name]

    assert found["events"] == []
    assert found["peak"] < MEMORY + MEMORY_FOR_EACH * len(CASES[name].data)
    assert found["seconds"] < SECONDS


def test_there_are_enough_of_them():
    assert len(CASES) >= 200


def test_findings_are_sentences_of_bounded_length(seen: dict[str, dict[str, Any]]):
    for name, found in seen.items():
        assert len(found["findings"]) <= 60, name
        assert all(len(finding) < 600 for finding in found["findings"]), name
