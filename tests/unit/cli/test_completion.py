"""The completion scripts, asked as their shells ask them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests import need
from tests.unit.cli.conftest import Trainctl
from trainctl.cli.main import run
from trainctl.cli.table import COMMANDS
from trainctl.kit import events
from trainctl.kit.names import RunFolder

SHELLS = ("bash", "zsh", "fish")
PATIENCE = 20.0  # seconds, for a busy machine


class Desk:
    """A project, a home with a queued and an ended run, the scripts, `trainctl` on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "HOME": f"{folder}",
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "TERM": "xterm",
            "TRAINCTL_HOME": f"{folder}/home",
            "ASKED": f"{folder}/asked",
        }

    def script(self, shell: str) -> str:
        return f"{self.folder}/script.{shell}"

    def asked(self) -> int:
        """How often the program was started."""
        asked = self.folder / "asked"
        return asked.read_text().count("\n") if asked.exists() else 0

    def say(self, *command: str) -> list[str]:
        done = subprocess.run(
            command,
            env=self.environ,
            cwd=self.folder / "project",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()


@pytest.fixture
def desk(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Desk:
    for shell in SHELLS:
        assert run(["completion", shell]) == 0
        (tmp_path / f"script.{shell}").write_bytes(capsysbinary.readouterr().out)
    (tmp_path / "home").mkdir(mode=0o700)
    for name in ("train-7f3k", "eval-2k"):
        (tmp_path / "home" / "runs" / name).mkdir(parents=True)
        job = {"schema": 1, "name": name, "created": 1.0, "typed": ["x.py"]}
        (tmp_path / "home" / "runs" / name / "job.json").write_text(json.dumps(job))
    ended = RunFolder(f"{tmp_path}/home/runs/eval-2k").attempt(1)
    os.mkdir(ended.path)
    events.append(ended.events, "closed", {"reason": "succeeded", "evidence": "", "next": None})
    (tmp_path / "project" / "out dir").mkdir(parents=True)
    (tmp_path / "project" / "train.py").touch()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "trainctl"
    program.write_text(f'#!/bin/sh\necho x >> "$ASKED"\nexec {sys.executable} -m trainctl "$@"\n')
    program.chmod(0o755)
    return Desk(tmp_path)


BASH = """\
source "$1"; shift
compopt() { return 1; }  # there is no line being typed
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_trainctl
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(desk: Desk, *words: str) -> set[str]:
    return set(desk.say("bash", "--norc", "-c", BASH, "bash", desk.script("bash"), *words))


def in_fish(desk: Desk, *words: str) -> set[str]:
    ask = f"source {desk.script('fish')}; complete -C '{' '.join(words)}'"
    return {line.partition("\t")[0] for line in desk.say("fish", "--no-config", "-c", ask)}


ASK: list[object] = [
    pytest.param(in_bash, marks=need.tool("bash"), id="bash"),
    pytest.param(in_fish, marks=need.tool("fish"), id="fish"),
]
Ask = Callable[..., set[str]]


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["st"], {"stop"}),
        (["list", "--st"], {"--state"}),
        (["list", "--sort", "st"], {"started", "state", "step"}),
        (["list", "--state", "out_of"], {"out_of_memory"}),
        (["list", "--sort", "name", "--rev"], {"--reverse"}),
        (["show", "tr"], {"train-7f3k"}),
        (["logs", "-n", "5", "ev"], {"eval-2k"}),
        (["logs", "-n", "ev"], set[str]()),
        (["delete", "eval-2k", "tr"], {"train-7f3k"}),
        (["stop", ""], {"train-7f3k"}),  # the other has ended
        (["run", "--aft"], {"--after"}),
        (["run", "--after", "tr"], {"train-7f3k"}),
        (["run", "--resume", "ne"], {"never"}),
        (["run", "tr"], {"train.py"}),
        (["run", "--name", "x", "tr"], {"train.py"}),
        (["run", "--wait", "tr"], {"train.py"}),
        (["run", "train.py", "--aft"], set[str]()),
        (["run", "-m", "tr"], {"train.py"}),
        (["run", "--", "tr"], {"train.py"}),
        (["resume", "ev"], {"eval-2k"}),
        (["resume", "eval-2k", "tr"], {"train.py"}),
        (["resume", "eval-2k", "--fr"], set[str]()),
        (["config", "va"], {"validate"}),
        (["config", "show", "max"], {"max_hours", "max_size"}),
        (["config", "path", "us"], {"user"}),
        (["checkpoint", "pr"], {"prune"}),
        (["checkpoint", "list", "--sor"], {"--sort"}),
        (["checkpoint", "verify", "ev"], {"eval-2k"}),
        (["checkpoint", "info", "train.p"], {"train.py"}),
        (["config", "validate", "--js"], {"--json"}),
        (["completion", "fi"], {"fish"}),
        (["doctor", "tr"], set[str]()),
        (["nonsense", "tr"], set[str]()),
    ],
)
def test_a_tab_offers_what_may_stand_there(
    desk: Desk, ask: Ask, words: list[str], wanted: set[str]
):
    assert ask(desk, "trainctl", *words) == wanted


@pytest.mark.parametrize("ask", ASK)
def test_every_command_and_each_of_its_options_is_offered(desk: Desk, ask: Ask):
    assert ask(desk, "trainctl", "") == {entry.name for entry in COMMANDS}
    for entry in COMMANDS:
        assert ask(desk, "trainctl", entry.name, "--he") == {"--help"}
    assert desk.asked() == 0


@pytest.mark.parametrize("ask", ASK)
def test_the_program_is_started_for_names_of_runs_alone(desk: Desk, ask: Ask):
    ask(desk, "trainctl", "list", "--state", "")
    ask(desk, "trainctl", "run", "")
    assert desk.asked() == 0
    ask(desk, "trainctl", "show", "")
    assert desk.asked() == 1


@need.tool("bash")
def test_bash_hands_over_an_option_joined_by_equals_as_three_words(desk: Desk):
    assert in_bash(desk, "trainctl", "list", "--sort", "=", "na") == {"name"}
    assert "name" in in_bash(desk, "trainctl", "list", "--sort", "=")
    assert in_bash(desk, "trainctl", "list", "--sort", "=", "name", "--rev") == {"--reverse"}
    assert in_bash(desk, "trainctl", "run", "--wait", "=", "6h", "tr") == {"train.py"}


@need.tool("bash")
def test_a_run_whose_name_is_a_command_is_only_a_name(desk: Desk):
    trap = desk.folder / "home" / "runs" / "$(touch trap)"
    trap.mkdir()
    (trap / "job.json").write_text('{"schema": 1, "created": 2.0, "typed": []}')
    assert in_bash(desk, "trainctl", "show", "") >= {r"\$\(touch\ trap\)", "eval-2k"}
    assert not (desk.folder / "project" / "trap").exists()


@pytest.mark.parametrize("shell", [pytest.param(s, marks=need.tool(s)) for s in SHELLS])
def test_the_script_is_sound_to_its_shell(desk: Desk, shell: str):
    desk.say(shell, "-n", desk.script(shell))


@pytest.mark.parametrize(
    ("mine", "named"), [("/bin/zsh", "zsh"), ("/bin/csh", "bash"), ("", "bash")]
)
def test_an_unknown_shell_is_answered_with_ones_own(
    trainctl: Trainctl, monkeypatch: pytest.MonkeyPatch, mine: str, named: str
):
    monkeypatch.setenv("SHELL", mine)
    for words in ([], ["powershell"]):
        told = trainctl("completion", *words)
        assert (told.code, told.out) == (2, "")
        assert told.err.endswith(f"  try: trainctl completion {named}\n")


class Terminal:
    """A shell on a terminal, to whom keys are typed."""

    def __init__(self, desk: Desk, command: Sequence[str]) -> None:
        self.master, slave = pty.openpty()
        self.shell = subprocess.Popen(
            command,
            env={**desk.environ, "PS1": "ready> ", "COLUMNS": "200"},
            cwd=desk.folder / "project",
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def type(self, keys: str) -> None:
        self.seen = ""
        os.write(self.master, keys.encode())

    def wait_for(self, text: str) -> None:
        """Until the shell has shown this; the time limit tells what it has shown instead."""
        until = time.monotonic() + PATIENCE
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} is not in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
                self.seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|.\x08", "", self.seen)

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.master)


@pytest.fixture
def terminal(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Terminal]:
    """bash or zsh with the script loaded, at its prompt."""
    shell = str(request.param)
    options = ["--norc", "--noprofile", "-i"] if shell == "bash" else ["-f", "-i"]
    found = Terminal(desk, [shell, *options])
    try:
        found.wait_for("ready> ")
        prepare = "autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
        found.type(f'{prepare}eval "$(cat {desk.script(shell)})"; echo load""ed\n')
        found.wait_for("loaded")
        yield found
    finally:
        found.close()


@pytest.mark.parametrize(
    "terminal", [pytest.param(s, marks=need.tool(s)) for s in ("bash", "zsh")], indirect=True
)
@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("trainctl comp\tba\t", "trainctl completion bash "),
        ("trainctl show ev\t", "trainctl show eval-2k "),
        ("trainctl list --rev\t", "trainctl list --reverse "),
        ("trainctl list --state out_of\t", "out_of_memory "),
        ("trainctl run --name x tr\t", "trainctl run --name x train.py "),
        ("trainctl run --cwd o\t", "trainctl run --cwd out\\ dir/"),
        ("trainctl resume ev\ttr\t", "trainctl resume eval-2k train.py "),
        ("trainctl config show max_h\t", "trainctl config show max_hours "),
        ("trainctl run --after tr\t", "trainctl run --after train-7f3k "),
        ("trainctl run train.py ou\t", "trainctl run train.py out\\ dir/"),
    ],
)
def test_a_tab_at_a_real_prompt_completes_the_line(terminal: Terminal, keys: str, shown: str):
    terminal.type(keys)
    terminal.wait_for(shown)
