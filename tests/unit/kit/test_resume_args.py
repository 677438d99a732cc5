from __future__ import annotations

import pytest

from trainctl.kit.resume_args import with_resume

PATH_FLAG = ["--resume", "{checkpoint}"]


@pytest.mark.parametrize(
    ("args", "hint", "expected"),
    [
        ([], PATH_FLAG, ["--resume", "new.pt"]),
        (["--lr", "1"], PATH_FLAG, ["--lr", "1", "--resume", "new.pt"]),
        (["--resume", "old.pt", "--lr", "1"], PATH_FLAG, ["--resume", "new.pt", "--lr", "1"]),
        (["--resume=old.pt", "--lr", "1"], PATH_FLAG, ["--resume", "new.pt", "--lr", "1"]),
        (
            ["--resume", "a", "--lr", "1", "--resume=b"],
            PATH_FLAG,
            ["--resume", "new.pt", "--lr", "1"],
        ),
        (["--resume", "--lr", "1"], PATH_FLAG, ["--resume", "new.pt", "--lr", "1"]),
        (["--resume-from", "x"], PATH_FLAG, ["--resume-from", "x", "--resume", "new.pt"]),
        (
            ["cfg.yaml", "--", "--resume", "x"],
            PATH_FLAG,
            ["cfg.yaml", "--resume", "new.pt", "--", "--resume", "x"],
        ),
        (["--lr", "1"], ["--resume"], ["--lr", "1", "--resume"]),
        (["--resume", "cfg.yaml"], ["--resume"], ["--resume", "cfg.yaml"]),
        (["--init_from=scratch"], ["--init_from=resume"], ["--init_from=resume"]),
        (["--init_from", "scratch", "-x"], ["--init_from=resume"], ["--init_from=resume", "-x"]),
        (["--a=1"], ["--ckpt={checkpoint}"], ["--a=1", "--ckpt=new.pt"]),
        (["resume=old", "lr=1"], ["resume={checkpoint}"], ["resume=new.pt", "lr=1"]),
        (
            ["--load", "x"],
            ["--resume", "--load", "{checkpoint}"],
            ["--load", "new.pt", "--resume"],
        ),
        (["--lr", "-1"], [], ["--lr", "-1"]),
    ],
)
def test_a_resume_flag_is_replaced_where_it_stands_and_else_added(args, hint, expected):
    assert with_resume(args, hint, "new.pt") == expected


def test_resuming_twice_is_resuming_from_the_later_checkpoint():
    once = with_resume(["--lr", "1"], PATH_FLAG, "a b.pt")
    assert with_resume(once, PATH_FLAG, "c.pt") == ["--lr", "1", "--resume", "c.pt"]


def test_arguments_of_any_shape_pass_untouched():
    args = ["a b", "'", "line\nline", "--", "{checkpoint}", "\udcff"]
    assert with_resume(args, ["--resume", "{checkpoint}"], "x") == [
        "a b",
        "'",
        "line\nline",
        "--resume",
        "x",
        *args[3:],
    ]
