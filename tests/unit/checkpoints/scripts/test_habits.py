"""What a script's source tells of how it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.checkpoints.scripts.script import Script, read_script


@pytest.fixture
def read(tmp_path: Path):
    def read(source: str) -> Script:
        path = tmp_path / "train.py"
        path.write_text(source)
        return read_script(str(path))

    return read


def test_packages_are_known_by_their_first_names(read):
    text = "import torch.nn as nn, os\nfrom transformers.trainer import Trainer\nfrom . import x\n"
    assert read(text).imports == {"torch", "os", "transformers"}


@pytest.mark.parametrize(
    "source",
    [
        "last = get_last_checkpoint(args.output_dir)",
        "trainer_utils.get_last_checkpoint('out')",
        "trainer.train(resume_from_checkpoint=True)",
        "trainer.fit(model, ckpt_path='last')",
        "path = find_latest_checkpoint(folder)",
        "path = tf.train.latest_checkpoint(folder)",
        "manager.restore_or_initialize()",
    ],
)
def test_a_script_that_looks_for_its_newest_checkpoint_is_seen(read, source: str):
    assert read(source).finds


@pytest.mark.parametrize(
    "source",
    [
        "trainer.train(resume_from_checkpoint=args.resume)",
        "trainer.fit(model, ckpt_path=args.ckpt)",
        "trainer.fit(model, ckpt_path=None)",
        "save_checkpoint('last')",
        "get_last_checkpoint",
    ],
)
def test_one_that_is_told_is_not(read, source: str):
    assert not read(source).finds
