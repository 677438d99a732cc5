"""A run whose checkpoints are gone from here goes on from its store; and who says what if not."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.line import CommandLine


@pytest.fixture
def bare(trainctl: CommandLine) -> CommandLine:
    """A run `fit` whose store has the checkpoints of steps 1 to 3, and this machine none."""
    store = str(trainctl.project / "store")
    trainctl.ok("run", "--name", "fit", "--store", store, "train.py")
    trainctl.until_rest("fit")
    shutil.rmtree(trainctl.project / "out")
    return trainctl


def test_the_newest_of_its_store_is_fetched_and_gone_on_from(bare: CommandLine):
    done = bare.ok("resume", "fit", "--steps", "4")

    assert done.out.splitlines() == ["resumed at 4", "step 4"]
    assert "fit has it no more: it is fetched from" in done.err
    path = bare.show("fit")["attempts"][-1]["resumed_from"]
    assert path.startswith(str(bare.run_folder("fit") / "begun"))
    bare.ok("checkpoint", "verify", path)


def test_a_step_is_looked_for_there_too(bare: CommandLine):
    done = bare.ok("resume", "--from", "1", "fit", "--steps", "2")
    assert done.out.splitlines() == ["resumed at 2", "step 2"]

    missing = bare("resume", "--from", "80", "fit")
    assert missing.code == 4
    assert "there is no checkpoint of step 80" in missing.err


def test_a_damaged_one_in_the_store_gives_way_to_the_next(bare: CommandLine):
    [newest] = (bare.project / "store/runs/fit").glob("1-3-*/data/step_3.pt")
    newest.chmod(0o600)
    newest.write_text('{"step": 9}')
    done = bare.ok("resume", "fit", "--steps", "3")

    assert "passed over" in done.err
    assert "resumed at 3" in done.out


def test_one_after_the_loss_became_nan_is_not_fetched(bare: CommandLine):
    metrics = bare.run_folder("fit") / "attempt-1" / "metrics.jsonl"
    metrics.write_text('{"step": 2, "loss": NaN}\n')

    assert "resumed at 2" in bare.ok("resume", "fit").out


def test_a_script_that_looks_by_itself_finds_it_where_it_was(bare: CommandLine):
    source = (bare.project / "train.py").read_text()
    source = source.replace(
        'parser.add_argument("--resume")', 'parser.add_argument("--resume", action="store_true")'
    ).replace("open(args.resume)", "open(max(__import__('glob').glob(args.out + '/*.pt')))")
    bare.write("train.py", source)
    done = bare.ok("resume", "fit", "--steps", "4")

    assert done.out.splitlines() == ["resumed at 4", "step 4"]


NAMED = """\
import os
import torch
if os.path.exists("out/ckpt.pt"):
    print("found", torch.load("out/ckpt.pt"))
else:
    os.makedirs("out", exist_ok=True)
    torch.save("1", "out/ckpt.pt")
"""
TORCH = """\
def load(path):
    return open(path).read()
def save(what, path):
    open(path, "w").write(what)
"""


def test_a_script_that_loads_one_name_finds_it_there(trainctl: CommandLine):
    trainctl.write("named.py", NAMED)
    trainctl.write("torch.py", TORCH)
    trainctl.ok("run", "--name", "one", "--store", str(trainctl.project / "store"), "named.py")
    trainctl.until_rest("one")
    shutil.rmtree(trainctl.project / "out")

    assert trainctl.ok("resume", "one").out == "found 1\n"


def test_where_the_store_is_gone_nothing_is_begun_anew(bare: CommandLine):
    shutil.move(bare.project / "store", bare.project / "away")
    done = bare("resume", "fit")

    assert done.code == 6
    assert "what fit would go on from is not here, nor can its store be asked" in done.err
    assert "trainctl rerun fit" in done.err
    assert len(bare.show("fit")["attempts"]) == 1
    assert not (bare.project / "out").exists()
    begun = bare("checkpoint", "resume", "fit", "train.py")
    assert begun.code == 125
    assert "--from" not in begun.err


def test_another_run_begins_with_what_its_store_has(bare: CommandLine):
    words = ("--name", "tuned", "train.py", "--steps", "4")
    done = bare.ok("checkpoint", "resume", "fit", *words)

    assert done.out.splitlines() == ["resumed at 4", "step 4"]
    assert bare.show("tuned")["begun"]["run"] == "fit"


def test_a_run_without_any_is_told_in_the_words_of_the_command(trainctl: CommandLine):
    trainctl.ok("run", "--name", "none", "echo.py")
    done = trainctl("checkpoint", "resume", "none", "train.py")

    assert done.code == 125
    assert "none has no complete checkpoint to begin with" in done.err
    assert "--from" not in done.err


def test_a_folder_that_merely_holds_checkpoints_is_none(trainctl: CommandLine):
    trainctl.ok("run", "--name", "base", "train.py")
    for words in (("checkpoint", "resume", "out"), ("run", "--name", "x", "--resume", "out")):
        done = trainctl(*words, "train.py")

        assert done.code == 125
        assert "out is no checkpoint but a folder with 3 checkpoints; name one" in done.err
    assert not trainctl.run_folder("x").exists()


def test_a_run_named_behind_an_option_of_run_is_not_confused_with_the_newest(bare: CommandLine):
    bare.ok("run", "--name", "newer", "train.py")
    done = bare("resume", "--python", "X", "fit")

    assert done.code == 2
    assert "--python is an option of trainctl run, and not one of trainctl resume" in done.err
    assert "trainctl run --python X --resume fit train.py" in done.err
    late = bare("resume", "--epochs", "2", "fit")
    assert "trainctl resume fit --epochs 2" in late.err
    assert len(bare.show("newer")["attempts"]) == 1


def test_rerun_takes_another_python(trainctl: CommandLine):
    trainctl.ok("run", "--name", "base", "echo.py")
    done = trainctl("rerun", "--python", "/nope", "base")

    assert done.code == 4
    assert "--python /nope" in done.err


def test_info_shows_the_newest_that_the_store_has(bare: CommandLine):
    shown = bare.ok("checkpoint", "info", "fit").out

    assert "store/runs/fit/1-3-" in shown.splitlines()[0]
