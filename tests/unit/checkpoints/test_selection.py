from __future__ import annotations

import os

import pytest

from trainctl.checkpoints.selection import fitting
from trainctl.errors import NotFoundError
from trainctl.kit.candidates import BEST, Candidate
from trainctl.kit.checkpoints import Found


def found(*names: str) -> list[Candidate]:
    """Newest first, in the order given."""
    made: list[Candidate] = []
    for at, name in enumerate(names):
        digits = "".join(filter(str.isdigit, name))
        step = int(digits) if digits else None
        here = Found(f"/w/out/{name}", step, 1, float(-at), is_dir=False)
        made.append(Candidate(here, 1, step, best=BEST.search(name) is not None))
    return made


THREE = found("step_200.pt", "step_100.pt", "model_best.pth.tar")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("100", "/w/out/step_100.pt"),
        ("best", "/w/out/model_best.pth.tar"),
        ("step_100.pt", "/w/out/step_100.pt"),
    ],
)
def test_a_checkpoint_is_chosen_by_what_a_user_would_call_it(wanted: str, path: str):
    assert [one.path for one in fitting(THREE, wanted, "/w")] == [path]


@pytest.mark.parametrize("name", ["best.ckpt", "best", "checkpoint-best", "best_model.pt"])
def test_the_best_is_known_by_its_name(name: str):
    [one] = fitting(found("2.pt", name, "1.pt"), "best", "/w")
    assert os.path.basename(one.path) == name


def test_of_one_step_the_newest_comes_first():
    two = found("checkpoint-7", "step_7.pt")
    assert fitting(two, "7", "/w") == two


def test_a_path_may_lie_outside_the_run(tmp_path):
    (tmp_path / "mine.pt").touch()
    for wanted, cwd in (("mine.pt", str(tmp_path)), (str(tmp_path / "mine.pt"), "/")):
        assert [one.path for one in fitting([], wanted, cwd)] == [str(tmp_path / "mine.pt")]


def test_what_is_neither_file_nor_folder_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(NotFoundError):
        fitting([], "pipe.pt", str(tmp_path))


@pytest.mark.parametrize(
    ("there", "wanted", "message", "hint"),
    [
        (THREE, "150", "step 150", "steps 100, 200"),
        (THREE, "step_10.pt", "no checkpoint step_10.pt", "did you mean step_100.pt?"),
        (found("bestiary_1.pt"), "best", "named the best", "checkpoint-best"),
        (found("model.pt"), "7", "step 7", "--from last, which is model.pt"),
        (
            found(*(f"{n}.pt" for n in range(20))),
            "77",
            "step 77",
            "0, 1, 2, 3, ..., 16, 17, 18, 19",
        ),
        ([], "7", "step 7", "--from PATH"),
    ],
)
def test_a_refusal_says_what_there_is(there, wanted, message, hint):
    with pytest.raises(NotFoundError, match=message) as caught:
        fitting(there, wanted, "/nowhere")
    assert hint in str(caught.value.hint)
