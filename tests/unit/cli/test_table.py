"""The whole table of commands: what the help page promises is there, and quick to ask."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from tests.unit.cli.conftest import Trainctl
from trainctl.cli.main import group
from trainctl.cli.table import COMMANDS, EXAMPLES, page

HEAVY = {"rich", "sqlite3", "asyncio", "psutil", "numpy", "torch"}
NAMES = [entry.name for entry in COMMANDS]
PRINTING_A_SCRIPT = {"completion"}
FOREGROUND = {("run",), ("local",), ("checkpoint", "resume")}  # they end with the script's code
STREAMING = FOREGROUND | {("resume",), ("rerun",)}  # their output is the script's


def command(*path: str) -> tuple[click.Command, click.Context]:
    found: click.Command = group
    context = click.Context(group, info_name="trainctl")
    for name in path:
        assert isinstance(found, click.Group)
        inner = found.get_command(context, name)
        assert inner is not None
        found, context = inner, click.Context(inner, parent=context, info_name=name)
    return found, context


def paths() -> Iterator[tuple[str, ...]]:
    """Every command, `config show` and its like among them."""
    for name in NAMES:
        found, context = command(name)
        yield (name,)
        if isinstance(found, click.Group):
            for below in found.list_commands(context):
                yield name, below


PATHS = list(paths())


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_explains_itself_and_shows_examples(
    trainctl: Trainctl, path: tuple[str, ...]
):
    told = trainctl(*path, "--help")
    assert (told.code, told.err) == (0, "")
    assert told.out == trainctl(*path, "-h").out
    usage, _, rest = told.out.partition("\n")
    assert usage.startswith(f"Usage: trainctl {' '.join(path)} ")
    explained, _, options = rest.partition("Options:")
    name = "run" if path == ("local",) else " ".join(path)
    assert re.search(rf"Examples:\n +.*trainctl {name}", explained)
    assert "-h, --help" in options


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]):
    found, context = command(*path)
    for parameter in found.get_params(context):
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_that_shows_something_has_json(path: tuple[str, ...]):
    found, context = command(*path)
    if path in STREAMING or path[0] in PRINTING_A_SCRIPT or isinstance(found, click.Group):
        return
    flags = {flag for it in found.get_params(context) for flag in it.opts}
    assert "--json" in flags


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_mistyped_option_is_named_with_the_next_command(
    trainctl: Trainctl, path: tuple[str, ...]
):
    if path[0] in {"resume", "rerun"}:
        return  # an option that is not ours is the script's
    told = trainctl(*path, "--nonsense")
    assert (told.out, told.err.splitlines()[0]) == (
        "",
        f"trainctl: trainctl {' '.join(path)} has no option --nonsense",
    )
    assert told.code == (125 if path in FOREGROUND else 2)
    assert f"{' '.join(path)} --help" in told.err


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_line_in_the_table_is_a_short_sentence(entry):
    assert re.fullmatch(r"[A-Z].{10,66}[^.]", entry.help)
    assert f"  {entry.name:<12}{entry.help}\n" in page("1.0")


def test_every_example_of_the_top_page_is_a_command_line_of_ours():
    """Its command is there, and so is every option before the script."""
    for line in re.findall(r"^  trainctl (.*?)(?:  |$)", EXAMPLES, re.MULTILINE):
        name, *words = line.split()
        found, context = command(name)
        flags = {flag for it in found.get_params(context) for flag in it.opts}
        ours = words[: words.index("train.py")] if "train.py" in words else words
        assert {word for word in ours if word.startswith("-")} <= flags


PROGRAM = """\
import sys
from trainctl.cli.entry import main
sys.argv = ["trainctl", *sys.argv[1:]]
code = main()
print("\\0", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([name, "--help"] for name in NAMES)]
)
def test_help_imports_nothing_heavy(words: list[str]):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.partition("\0")[2].split())
    assert "trainctl" in imported
    assert not imported & HEAVY
    assert (words[0].startswith("-")) is ("click" not in imported)
