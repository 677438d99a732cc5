from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from trainctl.config import KEYS, validate
from trainctl.control.propose import Proposal, propose
from trainctl.control.pythons import world_of
from trainctl.control.survey import scripts
from trainctl.kit.gpus import Card, Cards

TRAIN = """
import argparse
import wandb
parser = argparse.ArgumentParser()
parser.add_argument("--out-dir", default="weights")
parser.add_argument("--resume", help="checkpoint file to resume from")
if __name__ == "__main__":
    loss.backward()
"""
NO_CARDS = Cards([], None)


def proposed(project: Path, cards: Cards = NO_CARDS) -> Proposal:
    """What is proposed, which is always a valid file."""
    found = propose(world_of(f"{project}", {"PATH": "/nowhere"}), cards)
    file = project / "trainctl.toml"
    file.write_text(found.text)
    assert validate(f"{file}") == []
    file.unlink()
    return found


def uncommented(text: str) -> str:
    """The proposal with every key that it only mentions set."""
    names = tuple(f"# {key.name} = " for key in KEYS)
    return "\n".join(
        it.removeprefix("# ") if it.startswith(names) else it for it in text.split("\n")
    )


def test_a_script_that_resumes_is_seen_with_its_reasons(tmp_path: Path):
    (tmp_path / "train.py").write_text(TRAIN)
    found = proposed(tmp_path)
    assert found.script == f"{tmp_path}/train.py"
    assert tomllib.loads(found.text) == {"retries": 2}
    assert '# checkpoint_dir = "weights"' in found.text
    assert '# resume_args = ["--resume", "{checkpoint}"]' in found.text
    assert "train.py defines --resume" in found.text
    assert '# env = ["WANDB_API_KEY"]' in found.text


@pytest.mark.parametrize("files", [{}, {"train.py": TRAIN}, {".env": "", "weights/a-1.pt": ""}])
def test_every_line_that_is_only_mentioned_is_valid_too(tmp_path: Path, files: dict[str, str]):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    file = tmp_path / "trainctl.toml"
    file.write_text(uncommented(proposed(tmp_path).text))
    assert validate(f"{file}") == []
    assert set(tomllib.loads(file.read_text())) == {key.name for key in KEYS if key.project}


def test_an_empty_project_gets_a_proposal_that_sets_nothing(tmp_path: Path):
    found = proposed(tmp_path)
    assert tomllib.loads(found.text) == {}
    assert found.script is None
    assert found.findings[0].startswith("no script that trains was found")


def test_a_folder_of_its_own_that_holds_checkpoints_is_set(tmp_path: Path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model-10.pt").write_bytes(b"x")
    assert tomllib.loads(proposed(tmp_path).text) == {"checkpoint_dir": "weights"}


def test_a_script_that_knows_us_needs_nothing(tmp_path: Path):
    source = TRAIN.replace("--resume", "--seed").replace('"weights"', "os.environ[V]")
    names = "V = 'TRAINCTL_CHECKPOINT_DIR', 'TRAINCTL_RESUME_FROM'\n"
    (tmp_path / "train.py").write_text(names + source)
    found = proposed(tmp_path)
    assert "not needed: train.py reads TRAINCTL_CHECKPOINT_DIR" in found.text
    assert "not needed: train.py reads TRAINCTL_RESUME_FROM" in found.text
    assert tomllib.loads(found.text) == {"retries": 2}


def test_cards_and_git_and_env_files_are_told(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").touch()
    card = Card("0", "GPU-1", "H100", 1, 0, None, None, None)
    found = proposed(tmp_path, Cards([card, card], None))
    assert "# Here: 2 here (H100)" in found.text
    assert '# env_file = ".env"' in found.text
    assert found.findings[-1].startswith("git: commit and uncommitted changes")


def test_names_of_files_cannot_break_out_of_their_comment(tmp_path: Path):
    name = os.fsdecode(b'tr"ain\nretries = 9\n\x1b[31m\xff.py')
    (tmp_path / name).write_text(TRAIN)
    found = proposed(tmp_path)
    assert tomllib.loads(found.text) == {"retries": 2}
    assert "\x1b" not in found.text + "".join(found.findings)


def test_the_likeliest_script_comes_first_and_libraries_never_do(tmp_path: Path):
    sources = {
        "model.py": "def epoch(optimizer): ...\n",
        "main.py": TRAIN,
        "scripts/train_gpt.py": TRAIN,
        "tests/train_test.py": TRAIN,
        ".venv/train.py": TRAIN,
        "evaluate.py": "if __name__ == '__main__': ...\n",
        "a/b/c/d/train.py": TRAIN,
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    os.symlink(tmp_path, tmp_path / "loop")
    assert [it.path for it in scripts(f"{tmp_path}")] == ["scripts/train_gpt.py", "main.py"]
