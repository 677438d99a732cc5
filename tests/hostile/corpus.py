"""All hostile files, built here: none lies about as a file."""

from __future__ import annotations

from tests.hostile import archives, bombs, headers, programs
from tests.hostile.case import Case


def corpus() -> dict[str, Case]:
    cases = [*programs.cases(), *bombs.cases(), *archives.cases(), *headers.cases()]
    named = {f"{case.format}: {case.name}": case for case in cases}
    assert len(named) == len(cases), "two hostile files have one name"
    return named
