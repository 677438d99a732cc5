"""The manual says what the code does: its tables are compared with the code's own."""

from __future__ import annotations

import re
from pathlib import Path

from trainctl import errors
from trainctl.cli.main import INTERRUPTED
from trainctl.cli.table import BY_NAME
from trainctl.cli.words import OURS
from trainctl.config import KEYS
from trainctl.kit.retry import WORTH_RETRYING
from trainctl.records.state import Reason

MANUAL = (Path(__file__).parents[2] / "docs/manual.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The first two cells of each row of the table under a heading."""
    text = MANUAL.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", text, re.MULTILINE)
    return {first.strip("`"): rest for first, rest in rows}


def all_errors(kind: type[errors.TrainctlError]) -> set[int]:
    return {kind.exit_code}.union(*(all_errors(below) for below in kind.__subclasses__()))


def test_every_exit_code_is_in_the_manual() -> None:
    documented = {int(code) for code in table("Exit codes") if code.isdigit()}
    assert documented == {0, OURS, INTERRUPTED} | all_errors(errors.TrainctlError)


def test_every_setting_is_in_the_manual() -> None:
    assert set(table("Configuration")) - {"key"} == {key.name for key in KEYS}


def test_reasons_are_real_and_their_retries_are_said_rightly() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+? \| ?(.*?) ?\|$", MANUAL, re.MULTILINE)
    reasons = {name: retried for name, retried in rows if name in set(Reason)}
    assert "failed" in reasons
    for name, retried in reasons.items():
        assert retried.startswith("yes") == (name in WORTH_RETRYING), name


def test_every_command_that_the_manual_names_exists() -> None:
    named = set(re.findall(r"`trainctl ([a-z]+)", MANUAL))
    assert named
    assert named <= set(BY_NAME)
