"""Looking at what a run has left: list, info, diff and verify, as a user types them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.line import CommandLine
from tests.e2e.terminal import CTRL_C, Terminal
from tests.fakes import checkpoints

SAVES = """\
import json, os, struct, time
def save(path, step):
    head = json.dumps({"net.weight": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}})
    with open(path + ".tmp", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head.encode() + bytes([step]) * 64)
    os.rename(path + ".tmp", path)
os.makedirs("out", exist_ok=True)
for step in (1, 2, 3):
    save(f"out/step_{step}.safetensors", step)
    time.sleep(0.3)
"""


def saved(trainctl: CommandLine) -> str:
    """The name of a run that has left three checkpoints."""
    trainctl.write("train.py", SAVES)
    name = trainctl.ok("run", "--detach", "--name", "look", "train.py").out.strip()
    trainctl.until_rest(name)
    return name


def test_what_a_run_has_saved_is_listed_newest_first(trainctl: CommandLine):
    name = saved(trainctl)
    for words in ((), (name,), ("out",)):
        rows = trainctl.ok("checkpoint", "list", *words, "--json").data["checkpoints"]
        there = [row for row in rows if row["where"] == "here"]
        assert [row["step"] for row in there] == [3, 2, 1]
        assert all(row["complete"] for row in there)
    assert f"run {name}" in trainctl.ok("checkpoint", "list").err


def test_info_says_which_run_made_it_and_how_to_go_on(trainctl: CommandLine):
    name = saved(trainctl)
    path = "out/step_3.safetensors"
    told = trainctl.ok("checkpoint", "info", path, "--json").data
    assert (told["run"], told["attempt"]) == (name, 1)
    assert told["resuming"]["command"] == f"trainctl resume --from {path} {name}"
    assert trainctl.ok("checkpoint", "info", name, "--json").data["path"].endswith(path)


def test_a_flipped_bit_in_one_of_a_run_is_found(trainctl: CommandLine):
    name = saved(trainctl)
    assert trainctl.ok("checkpoint", "verify", name).code == 0
    path = trainctl.project / "out/step_2.safetensors"
    was = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    answer = trainctl("checkpoint", "verify", name, "--json")
    assert answer.code == 1
    broken = [one for one in answer.data["checkpoints"] if not one["whole"]]
    assert [os.path.basename(one["path"]) for one in broken] == ["step_2.safetensors"]
    assert broken[0]["findings"][0]["tensors"] == ["net.weight"]


def test_a_hundred_thousand_files_in_one_folder_are_listed_in_seconds(trainctl: CommandLine):
    folder = trainctl.project / "many"
    folder.mkdir()
    first = checkpoints.safetensors(folder / "step_0.safetensors", {"w": (1,)})
    for number in range(1, 100_000):
        if number % 50_000 == 0:  # a file has at most 65,000 names on ext4
            first = checkpoints.safetensors(folder / f"step_{number}.safetensors", {"w": (1,)})
        else:
            os.link(first, folder / f"step_{number}.safetensors")
    data = trainctl.ok("checkpoint", "list", "many", "--json").data
    assert data["total"] == 100_000
    assert data["checkpoints"][0]["step"] == 99_999


def test_a_folder_that_changes_as_it_is_listed_is_no_trouble(trainctl: CommandLine):
    folder = trainctl.project / "out"
    listings = []
    for step in range(1, 40):
        checkpoints.trainer(folder / f"checkpoint-{step}", step)
        if step % 10 == 0:
            listings.append(trainctl.start("checkpoint", "list", "out", "--all", "--json"))
        if step > 3:
            remove(folder / f"checkpoint-{step - 3}")
    for listing in listings:
        listing.communicate(timeout=60)
        assert listing.returncode == 0


def test_a_file_that_grows_is_told_and_gets_no_manifest(trainctl: CommandLine):
    path = checkpoints.safetensors(trainctl.project / "a.safetensors", {"w": (1000, 1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    answer = trainctl("checkpoint", "verify", "a.safetensors", "--json")
    assert answer.code == 1
    assert not answer.data["checkpoints"][0]["manifest_was_made"]
    path.write_bytes(whole)
    assert trainctl("checkpoint", "verify", "a.safetensors").code == 0


def remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_forty_gigabytes_of_nothing_are_looked_at_in_no_time(trainctl: CommandLine):
    with (trainctl.project / "huge.pt").open("wb") as file:
        file.truncate(40_000_000_000)
    trainctl.ok("checkpoint", "list", ".")  # each within the patience of a command
    trainctl.ok("checkpoint", "info", "huge.pt")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_of_any_width_is_drawn_on(trainctl: CommandLine, columns: int):
    for step in (1, 2):
        checkpoints.trainer(trainctl.project / f"out/checkpoint-{step}", step)
    one, other = "out/checkpoint-1", "out/checkpoint-2"
    for words in (["list", "out"], ["info", one], ["diff", one, other], ["verify", "out"]):
        terminal = Terminal(trainctl, ["checkpoint", *words], columns=columns)
        assert terminal.wait() == 0, terminal.screen
        assert b"Traceback" not in terminal.screen


def test_ctrl_c_ends_a_long_verify_at_once(trainctl: CommandLine):
    with (trainctl.project / "huge.npz").open("wb") as file:
        file.truncate(400_000_000_000)
    terminal = Terminal(trainctl, ["checkpoint", "verify", "--renew", "huge.npz"])
    terminal.until("B/s")
    terminal.press(CTRL_C)
    assert terminal.wait() == 130


def test_where_each_of_a_run_lies_is_told(trainctl: CommandLine):
    store = trainctl.home / "store"
    trainctl.write("train.py", SAVES)
    trainctl.ok("run", "--detach", "--store", str(store), "--name", "look", "train.py")
    trainctl.until_rest("look")
    rows = trainctl.ok("checkpoint", "list", "look", "--json").data["checkpoints"]
    assert {row["where"] for row in rows} == {"both"}

    (trainctl.project / "out/step_1.safetensors").unlink()
    rows = trainctl.ok("checkpoint", "list", "look", "--json").data["checkpoints"]
    assert [(row["step"], row["where"]) for row in rows] == [
        (3, "both"),
        (2, "both"),
        (1, "store"),
    ]
    there = trainctl.ok("checkpoint", "list", str(store), "--json").data["checkpoints"]
    assert [row["step"] for row in there] == [3, 2, 1]
    assert trainctl.ok("checkpoint", "info", rows[-1]["path"], "--json").data["run"] == "look"


ELSEWHERE = SAVES.replace('"out"', 'os.environ["TRAINCTL_CHECKPOINT_DIR"]').replace(
    'f"out/step_{step}', 'os.environ["TRAINCTL_CHECKPOINT_DIR"] + f"/step_{step}'
)


def test_names_that_lie_elsewhere_are_short_and_can_be_typed(trainctl: CommandLine):
    trainctl.write("train.py", ELSEWHERE)
    name = trainctl.ok("run", "--detach", "--name", "far", "train.py").out.strip()
    trainctl.until_rest(name)
    listed = trainctl.ok("checkpoint", "list", name)
    assert listed.out.splitlines()[1].startswith("step_3.safetensors ")
    assert f"checkpoints of run {name}, in " in listed.err
    folder = trainctl.run_folder(name) / "checkpoints"
    for typed in (f"{name}/step_2.safetensors", f"{name}/2"):
        told = trainctl.ok("checkpoint", "info", typed, "--json").data
        assert told["path"] == str(folder / "step_2.safetensors")
        assert trainctl.ok("checkpoint", "verify", typed).code == 0
        trainctl.ok("checkpoint", "pin", typed)
    store = str(trainctl.project / "store")
    pushed = trainctl.ok("checkpoint", "push", f"{name}/2", "--to", store, "--json").data
    assert [one["step"] for one in pushed["checkpoints"]] == [2]
    wrong = trainctl("checkpoint", "info", f"{name}/7")
    assert (wrong.code, f"run {name} has no checkpoint '7'" in wrong.err) == (4, True)


def test_what_was_cut_since_is_not_called_verified(trainctl: CommandLine):
    name = saved(trainctl)
    os.truncate(trainctl.project / "out/step_3.safetensors", 70)
    lines = trainctl.ok("show", name).out.splitlines()
    (cut,) = [line for line in lines if "step_3.safetensors" in line and " · " in line]
    (whole,) = [line for line in lines if "step_2.safetensors" in line and " · " in line]
    assert "changed since" in cut
    assert whole.endswith("verified")
