from __future__ import annotations

import pytest

from trainctl.checkpoints.selection import choose
from trainctl.errors import NotFoundError
from trainctl.kit.checkpoints import Found


def found(*names: str) -> list[Found]:
    digits = ["".join(filter(str.isdigit, name)) for name in names]
    return [
        Found(f"/w/out/{name}", int(step) if step else None, 1, float(at), False)
        for at, (name, step) in enumerate(zip(names, digits, strict=True))
    ]


THREE = found("step_100.pt", "model_best.pth.tar", "step_200.pt")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("last", "/w/out/step_200.pt"),
        ("100", "/w/out/step_100.pt"),
        ("best", "/w/out/model_best.pth.tar"),
        ("step_100.pt", "/w/out/step_100.pt"),
    ],
)
def test_a_checkpoint_is_chosen_by_what_a_user_would_call_it(wanted, path):
    assert choose(THREE, wanted, "/w") == path


@pytest.mark.parametrize("name", ["best.ckpt", "best", "checkpoint-best", "best_model.pt"])
def test_the_best_is_known_by_its_name(name):
    assert choose(found("1.pt", name, "2.pt"), "best", "/w").endswith(name)


def test_a_path_may_lie_outside_the_run(tmp_path):
    (tmp_path / "mine.pt").touch()
    assert choose([], "mine.pt", str(tmp_path)) == str(tmp_path / "mine.pt")
    assert choose([], str(tmp_path / "mine.pt"), "/") == str(tmp_path / "mine.pt")


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
        ([], "last", "no complete checkpoint", "--checkpoint-dir"),
        ([], "7", "step 7", "--from PATH"),
    ],
)
def test_a_refusal_says_what_there_is(there, wanted, message, hint):
    with pytest.raises(NotFoundError, match=message) as caught:
        choose(there, wanted, "/nowhere")
    assert hint in str(caught.value.hint)
