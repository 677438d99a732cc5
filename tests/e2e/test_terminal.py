"""What a user sees and presses in a terminal."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.e2e.line import CommandLine, is_alive, wait_until
from tests.e2e.terminal import CTRL_C, Terminal

SLOW_TO_SAVE = """\
import signal, time
def save(*_):
    print("saving", flush=True)
    time.sleep(60)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def test_ctrl_c_asks_the_script_to_stop_and_says_so(trainctl: CommandLine):
    terminal = Terminal(trainctl, ["run", "--name", "r", "train.py", "--steps=99", "--sleep=0.1"])
    terminal.until("step 2")
    terminal.press(CTRL_C)

    assert terminal.wait() == 128 + signal.SIGTERM
    screen = terminal.screen.decode()
    assert "asked r to stop; it has 30 s to save. Ctrl-C again ends it at once" in screen
    assert "r: stopped after" in screen
    assert "next: trainctl resume r" in screen


def test_a_second_ctrl_c_ends_it_at_once(trainctl: CommandLine):
    trainctl.write("slow.py", SLOW_TO_SAVE)
    terminal = Terminal(trainctl, ["run", "slow.py"])
    terminal.until("ready")
    terminal.press(CTRL_C)
    terminal.until("saving")
    terminal.press(CTRL_C)

    assert terminal.wait() == 128 + signal.SIGKILL


def test_ctrl_c_calls_off_the_wait_for_a_retry(trainctl: CommandLine):
    words = ["run", "--retries=5", "--name=r", "train.py", "--crash-at=1"]
    terminal = Terminal(trainctl, words)
    terminal.until("retry 1 of 5")
    terminal.press(CTRL_C)

    assert terminal.wait() in (7, 128 + signal.SIGTERM)
    assert len(trainctl.show("r")["attempts"]) <= 2


def test_a_closed_terminal_detaches(trainctl: CommandLine):
    terminal = Terminal(trainctl, ["run", "--name", "r", "train.py", "--steps=9", "--sleep=0.2"])
    terminal.until("step 2")
    terminal.close()
    wait_until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0], "the command's end")

    assert is_alive(trainctl.pid("r", "trainer"))
    assert trainctl.until_rest("r")["reason"] == "succeeded"
    assert trainctl.log("r").count("step") == 9


def test_following_is_left_by_ctrl_c_and_the_run_goes_on(trainctl: CommandLine):
    trainctl.ok("run", "-d", "--name", "r", "train.py", "--steps", "99", "--sleep", "0.1")
    terminal = Terminal(trainctl, ["logs", "-f", "r"])
    terminal.until("step 3")
    terminal.press(CTRL_C)

    assert terminal.wait() == 0
    assert "r goes on; stop it with: trainctl stop r" in terminal.screen.decode()
    assert trainctl.show("r")["state"] == "running"


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["colour", "NO_COLOR", "dumb"],
)
def test_colours_are_for_terminals_that_want_them(
    trainctl: CommandLine, env: dict[str, str], *, coloured: bool
):
    trainctl("run", "--name", "r", "bash", "-c", "exit 1")
    terminal = Terminal(trainctl, ["list"], env=env)

    assert terminal.wait() == 0
    assert (b"\x1b[3" in terminal.screen) == coloured
    assert b"failed" in terminal.screen


def test_a_narrow_window_keeps_every_run_on_one_line(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "echo.py", "x" * 200)
    terminal = Terminal(trainctl, ["list"], columns=60, env={"NO_COLOR": "1"})
    terminal.wait()
    lines = re.sub("\x1b\\[[0-9;]*m", "", terminal.screen.decode()).splitlines()

    assert len(lines) == 2
    assert max(map(len, lines)) <= 60
    assert lines[1].startswith("r ")


def test_watching_the_list_ends_with_ctrl_c(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "bash", "-c", "true")
    terminal = Terminal(trainctl, ["list", "--watch"])
    terminal.until("succeeded")
    terminal.press(CTRL_C)

    assert terminal.wait() == 130
    assert b"Traceback" not in terminal.screen


def test_deleting_asks_first(trainctl: CommandLine):
    trainctl.ok("run", "--name", "r", "bash", "-c", "true")
    no = Terminal(trainctl, ["delete", "r"])
    no.until("Remove?")
    no.press(b"n\n")
    assert no.wait() == 5
    assert trainctl.run_folder("r").is_dir()

    yes = Terminal(trainctl, ["delete", "r"])
    yes.until("Remove?")
    yes.press(b"y\n")
    assert yes.wait() == 0
    assert not trainctl.run_folder("r").exists()
