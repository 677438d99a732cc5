"""Which checkpoints a script looks for by itself, as its source shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.checkpoints.scripts.script import read_script

LOAD = "state = torch.load(path)\n"


def names(folder: Path, source: str) -> frozenset[str]:
    path = folder / "train.py"
    path.write_text(source)
    return read_script(str(path)).names


@pytest.mark.parametrize(
    "source",
    [
        "if os.path.exists('out/last.pt'): state = torch.load('out/last.pt')",
        "path = f'{out}/last.pt'\n" + LOAD,
        "path = Path(out) / 'last.pt'\n" + LOAD + "torch.save(state, path)",
        "LAST = 'last.pt'\npath = os.path.join(out, LAST)\n" + LOAD,
        "state = json.load(open('out/last.pt'))",
        "LAST = 'out/last.pt'\nstate = json.load(open(LAST))",
        "with open('out/last.pt', 'rb') as file: state = file.read()",
        "trainer.train(resume_from_checkpoint='out/last.pt')",
        "model.load_weights('out/last.pt')",
    ],
)
def test_a_checkpoint_that_is_loaded_by_name_is_seen(tmp_path: Path, source: str):
    assert names(tmp_path, source) == {"last.pt"}


@pytest.mark.parametrize(
    "source",
    [
        "torch.save(state, 'out/last.pt')",
        "config = json.load(open('config.json'))\ntorch.save(state, 'out/last.pt')",
        LOAD + "torch.save(state, 'out/last.pt')",
        LOAD + "'writes its state to out/last.pt'",
        LOAD + "print('last')",
        LOAD + "path = f'out/step_{step}.pt'",
        "trainer.fit(model, ckpt_path=None)\nprint('last.pt')",
        "LAST = 'last.pt'\nopen(LAST, 'wb')",
        "path = os.environ['TRAINCTL_RESUME_FROM'] or 'last.pt'\n" + LOAD,
    ],
)
def test_one_that_is_only_written_or_told_of_is_not(tmp_path: Path, source: str):
    assert names(tmp_path, source) == frozenset()


def test_a_module_beside_the_script_tells_too(tmp_path: Path):
    (tmp_path / "saving.py").write_text("def load():\n    return torch.load('out/last.pt')\n")
    assert names(tmp_path, "from saving import load\nstate = load()") == {"last.pt"}

    (tmp_path / "saving.py").write_text("path = os.environ.get('TRAINCTL_RESUME_FROM')\n")
    (tmp_path / "train.py").write_text("from saving import path\n")
    assert read_script(str(tmp_path / "train.py")).is_told


@pytest.mark.parametrize(
    ("source", "finds"),
    [
        ("path = max(glob.glob('out/step_*.pt'))\n" + LOAD, True),
        ("path = max(Path(out).glob('checkpoint-*'))\n" + LOAD, True),
        ("path = max(n for n in os.listdir(out) if n.endswith('.pt'))\n" + LOAD, True),
        ("path = max(glob.glob('out/step_*.pt'))\n", False),
        ("data = glob.glob('data/*.png')\n" + LOAD, False),
        ("names = os.listdir('data')\n" + LOAD, False),
    ],
)
def test_a_script_that_lists_a_folder_for_its_newest_is_seen(
    tmp_path: Path, source: str, finds: bool
):
    path = tmp_path / "train.py"
    path.write_text(source)
    assert read_script(str(path)).finds is finds
