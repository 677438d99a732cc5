"""Looking at runs: list, show and logs, for people and for programs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Generator

import pytest

from tests.e2e.conftest import TRAIN
from tests.e2e.line import CommandLine, wait_until


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Generator[CommandLine]:
    """Three runs that all tests look at: `one` succeeded, `two` failed, `three` succeeded."""
    line = CommandLine(tmp_path_factory.mktemp("shelf"))
    line.write("train.py", TRAIN)
    line.ok("run", "--name", "one", "--tag", "a", "--tag", "b", "train.py", "--steps", "2")
    line("run", "--name", "two", "train.py", "--exit", "1", "--steps", "5")
    line.ok("run", "--name", "three", "--tag", "a", "bash", "-c", "true")
    yield line
    line.end_all()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["three", "two", "one"]),
        (["--reverse"], ["one", "two", "three"]),
        (["--sort", "name"], ["one", "three", "two"]),
        (["--state", "succeeded"], ["three", "one"]),
        (["--state", "failed", "--state", "succeeded"], ["three", "two", "one"]),
        (["--state", "failed", "--state", "running"], ["two"]),
        (["--tag", "a"], ["three", "one"]),
        (["--tag", "a", "--tag", "b"], ["one"]),
        (["--since", "1h"], ["three", "two", "one"]),
        (["--since", "2999-01-01"], []),
        (["bash"], ["three"]),
        (["-n", "1"], ["three"]),
        (["--sort", "step", "-n", "2"], ["two", "one"]),
    ],
    ids=" ".join,
)
def test_listing_filters_and_sorts(shelf: CommandLine, words: list[str], expected: list[str]):
    assert shelf.ok("list", "--quiet", *words).out.split() == expected


def test_a_list_tells_what_is_not_shown(shelf: CommandLine):
    assert "2 more: trainctl list --all" in shelf.ok("list", "-n", "1").err
    assert "no such runs" in shelf.ok("list", "--tag", "none").err


def test_a_table_in_a_pipe_is_plain(shelf: CommandLine):
    lines = shelf.ok("list").out.splitlines()

    assert re.split(r" {2,}", lines[0]) == [
        *("RUN", "STATE", "AGE", "TIME", "STEP", "CKPTS", "COMMAND")
    ]
    assert len(lines) == 4
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["list"], "run.list"),
        (["show", "one"], "run.show"),
        (["logs", "one"], "run.logs"),
        (["stop", "one"], "run.stop"),
        (["delete", "--dry-run", "one"], "run.delete"),
        (["config", "show"], "config.show"),
    ],
    ids=str,
)
def test_every_reading_command_has_the_one_envelope(
    shelf: CommandLine, words: list[str], kind: str
):
    told = json.loads(shelf.ok(*words, "--json").out)

    assert told["schema"] == "trainctl/1"
    assert told["kind"] == kind
    assert "data" in told


def test_bare_trainctl_shows_what_lives_and_what_to_type_next(trainctl: CommandLine):
    trainctl.ok("run", "--name", "over", "bash", "-c", "true")
    trainctl.ok("run", "-d", "--name", "now", "train.py", "--steps", "99", "--sleep", "0.1")
    done = trainctl.ok()

    assert "1 living" in done.out
    assert "now" in done.out
    assert "over" not in done.out
    assert "trainctl logs -f" in done.err


def test_show_tells_what_a_person_asks(shelf: CommandLine):
    out = shelf.ok("show", "one").out

    for told in ("state        succeeded", "command      train.py --steps 2", "3.", "tags", "a b"):
        assert told in out
    assert "step 2 · out/step_2.pt" in out
    assert "peak memory" in out


def test_logs_are_made_readable_and_raw_ones_are_not(trainctl: CommandLine):
    trainctl.ok("run", "bash", "-c", r"printf '10%%\r50%%\r100%%\n\033[2Jhidden\033]0;t\007\n'")

    assert trainctl.ok("logs").out.splitlines()[0] == "100%"
    assert "\x1b" not in trainctl.ok("logs").out
    assert trainctl.ok("logs", "--raw").out == "10%\r50%\r100%\n\x1b[2Jhidden\x1b]0;t\x07\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--tail", "2"], ["step 2", "failed on purpose"]),
        (["--grep", "step [12]"], ["step 1", "step 2"]),
        (["--grep", "step", "--tail", "1"], ["step 2"]),
        (["--tail", "0"], []),
        (["--since", "1h", "--tail", "1"], ["failed on purpose"]),
    ],
    ids=" ".join,
)
def test_parts_of_a_log(trainctl: CommandLine, words: list[str], expected: list[str]):
    trainctl.ok("run", "bash", "-c", "echo step 1; echo step 2; echo failed on purpose")

    assert trainctl.ok("logs", *words).out.splitlines() == expected


def test_a_log_of_an_attempt_that_is_not_there(shelf: CommandLine):
    done = shelf("logs", "--attempt", "4", "one")

    assert done.code == 4
    assert "one has no attempt 4" in done.err


def test_following_shows_everything_and_ends_with_the_run(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "r", "train.py", "--steps", "6", "--sleep", "0.1")
    done = trainctl.ok("logs", "-f", "r")

    assert done.out.splitlines() == [f"step {number}" for number in range(1, 7)]


def test_following_goes_on_with_the_next_attempt(trainctl: CommandLine):
    words = ("--retries", "1", "train.py", "--crash-at", "2", "--steps", "3", "--sleep", "0.2")
    trainctl.ok("run", "-d", "--name", "r", *words)
    done = trainctl.ok("logs", "-f", "r")

    assert done.out.splitlines() == ["step 1", "step 2", "resumed at 3", "step 3"]
    assert "trainctl: attempt 2" in done.err


def test_following_as_json_is_one_envelope_a_line(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "r", "train.py", "--sleep", "0.1")
    lines = [
        json.loads(text) for text in trainctl.ok("logs", "-f", "--json", "r").out.splitlines()
    ]

    assert [line["data"] for line in lines] == ["step 1", "step 2", "step 3"]
    assert {line["kind"] for line in lines} == {"run.log"}


def test_a_run_that_was_copied_or_removed_by_hand_is_noticed(shelf: CommandLine):
    shutil.copytree(shelf.run_folder("one"), shelf.run_folder("copied"))

    assert "copied" in shelf.ok("list", "--quiet").out.split()
    shutil.rmtree(shelf.run_folder("copied"))
    assert "copied" not in shelf.ok("list", "--quiet").out.split()


def test_a_queued_run_is_shown_as_queued(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "a", "train.py", "--steps", "99", "--sleep", "0.1")
    trainctl.ok("run", "-d", "--name", "b", "--after", "a", "train.py")
    wait_until(lambda: trainctl.show("a")["state"] == "running", "the first")

    assert trainctl.show("b")["state"] == "queued"
    assert trainctl("logs", "b").code in (0, 4)
