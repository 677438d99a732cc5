"""Cards are claimed by runs: refused with who has them, or waited for. The cards are invented."""

from __future__ import annotations

import ctypes

import pytest

from tests.e2e.line import CommandLine, wait_until

SMI = """\
#!/bin/sh
echo "0, GPU-a, NVIDIA Pretend, 81920, 4, 0, 30, 70"
echo "1, GPU-b, NVIDIA Pretend, 81920, 4, 0, 30, 70"
"""
TELL = "import os, time; print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True); time.sleep({})"


def has_a_driver() -> bool:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(has_a_driver(), reason="not run: this machine has real cards")


@pytest.fixture
def rig(trainctl: CommandLine) -> CommandLine:
    """A machine with two cards, and a run `first` that has one of them."""
    smi = trainctl.home / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(SMI)
    smi.chmod(0o755)
    trainctl.env["PATH"] = f"{smi.parent}:{trainctl.env['PATH']}"
    trainctl.write("hold.py", TELL.format(60))
    trainctl.write("tell.py", TELL.format(0))
    trainctl.ok("run", "-d", "--gpus", "1", "--name", "first", "hold.py")
    wait_until(lambda: trainctl.log("first"), "the first run")
    return trainctl


def test_the_next_run_gets_the_other_card(rig: CommandLine):
    assert rig.log("first") == "0\n"
    assert rig.ok("run", "--gpus", "1", "tell.py").out == "1\n"
    assert rig.show("first")["attempts"][0]["gpus"] == ["0"]


def test_a_run_without_gpus_sees_them_as_ever(rig: CommandLine):
    assert rig.ok("run", "tell.py").out == "None\n"


def test_a_refusal_names_who_has_the_card(rig: CommandLine):
    done = rig("run", "-d", "--gpus", "2", "tell.py")

    assert done.code == 75
    assert "GPU 0 by first" in done.err
    assert "--wait" in done.err
    assert rig.ok("list", "--quiet").out == "first\n"


def test_picked_cards_are_those_or_none(rig: CommandLine):
    assert rig.ok("run", "--gpu-ids", "1", "tell.py").out == "1\n"
    assert rig("run", "-d", "--gpu-ids", "0", "tell.py").code == 75


def test_a_waiting_run_is_queued_and_starts_when_the_card_is_free(rig: CommandLine):
    rig.ok("run", "-d", "--gpus", "2", "--wait", "--name", "second", "tell.py")
    assert rig.show("second")["state"] == "queued"

    rig.ok("stop", "--now", "first")
    assert rig.until_rest("second")["reason"] == "succeeded"
    assert rig.log("second") == "0,1\n"


def test_a_wait_that_is_over_ends_without_capacity(rig: CommandLine):
    done = rig("run", "--gpus", "2", "--wait=1s", "tell.py")

    assert done.code == 125
    assert "no capacity" in done.err
    assert "GPU 0 is held by first" in done.err


def test_the_record_names_the_cards(rig: CommandLine):
    rig.ok("run", "--gpus", "1", "--name", "third", "tell.py")

    assert rig.show("third")["code"]["gpus"][0]["name"] == "NVIDIA Pretend"
