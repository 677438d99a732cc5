"""Scripts that show no way to go on, and what is said to mend them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainctl.checkpoints.scripts.resume import resume_arguments
from trainctl.checkpoints.scripts.script import Script, read_script
from trainctl.control import untold
from trainctl.errors import RefusedError
from trainctl.kit import candidates
from trainctl.kit.choosing import Choice


@pytest.fixture
def choice(tmp_path: Path) -> Choice:
    path = tmp_path / "checkpoint-300"
    path.mkdir()
    return Choice(candidates.at(str(path)), True, [])


def script(folder: Path, source: str) -> Script:
    path = folder / "hf.py"
    path.write_text(source)
    return read_script(str(path))


def resume(read: Script) -> dict[str, Any]:
    return {"mode": "auto", **untold.settings(read, resume_arguments(read, []))}


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            "from transformers import Trainer\nTrainer().train()",
            'trainer.train(resume_from_checkpoint=os.environ.get("TRAINCTL_RESUME_FROM"))',
        ),
        (
            "import lightning as L\nL.Trainer().fit(model)",
            'trainer.fit(..., ckpt_path=os.environ.get("TRAINCTL_RESUME_FROM"))',
        ),
        ("import torch\n", 'torch.load(os.environ["TRAINCTL_RESUME_FROM"])'),
    ],
)
def test_it_is_refused_with_the_line_that_its_framework_needs(
    tmp_path: Path, choice: Choice, source: str, line: str
):
    read = script(tmp_path, source)
    with pytest.raises(RefusedError, match=r"hf\.py shows no way .* checkpoint-300") as refused:
        untold.refuse("base", read, resume(read), choice, [])

    assert line in str(refused.value.hint)
    assert "trainctl resume --force base" in str(refused.value.hint)
    assert resume(read)["untold"]


@pytest.mark.parametrize(
    "source",
    [
        "p.add_argument('--resume')",
        "path = os.environ.get('TRAINCTL_RESUME_FROM')",
        "last = get_last_checkpoint('out')",
        "trainer.train(resume_from_checkpoint=newest)",
        "state = torch.load('out/checkpoint-300')",
        "this is no Python",
    ],
)
def test_one_that_may_go_on_is_not(tmp_path: Path, choice: Choice, source: str):
    read = script(tmp_path, source)
    untold.refuse("base", read, resume(read), choice, [])

    assert untold.warned("hf.py", resume(read), 3) == []


def test_nor_one_that_is_told_by_hand_or_has_nothing_to_lose(tmp_path: Path, choice: Choice):
    read = script(tmp_path, "Trainer().train()")
    untold.refuse("base", read, resume(read), choice, ["--load=out/checkpoint-300"])
    untold.refuse("base", read, resume(read), Choice(None, False, []), [])
