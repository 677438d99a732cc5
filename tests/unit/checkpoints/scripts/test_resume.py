from __future__ import annotations

import pytest

from trainctl.checkpoints.scripts.resume import ResumeHint, resume_arguments
from trainctl.checkpoints.scripts.script import NO_SCRIPT, Script, read_options, read_script


def script(*lines: str) -> Script:
    return Script("train.py", tuple(read_options("\n".join(lines).encode())))


def hint_for(options: str, *args: str) -> tuple[str, ...]:
    return resume_arguments(script(options), args).args


@pytest.mark.parametrize(
    "flag",
    [
        "--resume",
        "--resume-from",
        "--resume_from",
        "--resume_from_checkpoint",
        "--resume-path",
        "--load-checkpoint",
        "--restore",
    ],
)
def test_a_flag_that_resumes_is_recognised(flag):
    hint = resume_arguments(script(f"p.add_argument('{flag}', default='')"), [])
    assert hint == ResumeHint((flag, "{checkpoint}"), f"train.py defines {flag}", "either")


@pytest.mark.parametrize(
    "option",
    [
        "p.add_argument('--checkpoint')",
        "p.add_argument('--checkpoint', help='where to save the checkpoint')",
        "p.add_argument('--checkpoint', help='resume from here, and save here')",
        "p.add_argument('--ckpt_path')",
        "p.add_argument('--restore_from', required=True)",
        "p.add_argument('--restore', type=bool, default=True)",
        "p.add_argument('--load-checkpoint', default='model.pt')",
        "p.add_argument('--restore', help='generate from this')",
        "p.add_argument('--ckpt-path', help='path to write checkpoints to')",
        "p.add_argument('--load-checkpoint', help='pretrained weights')",
        "p.add_argument('--pretrained')",
        "p.add_argument('--resume', type=int)",
        "p.add_argument('--resume', choices=['allow', 'must'])",
        "p.add_argument('--no-resume', action='store_true')",
        "p.add_argument('--initial-checkpoint')",
    ],
)
def test_a_flag_that_may_mean_something_else_is_left_alone(option):
    assert hint_for(option) == ()


def test_the_reason_names_a_flag_that_was_left_alone():
    left = resume_arguments(script("p.add_argument('--ckpt_path')"), [])
    assert left.why.startswith("train.py defines --ckpt_path, but not clearly to resume by")
    none = resume_arguments(script("p.add_argument('--lr')"), [])
    assert none.why == "train.py defines no resume option that trainctl knows"


def test_a_flag_of_any_name_is_recognised_by_what_its_value_is_handed_to(tmp_path):
    (tmp_path / "train.py").write_text(
        "p.add_argument('--ckpt_path', default=None)\n"
        "trainer.fit(model, data, ckpt_path=args.ckpt_path or None)\n"
    )
    hint = resume_arguments(read_script(str(tmp_path / "train.py")), [])
    assert hint.args == ("--ckpt_path", "{checkpoint}")


def test_a_doubtful_flag_is_used_where_its_help_says_that_it_resumes():
    assert hint_for("p.add_argument('--checkpoint', help='checkpoint to resume from')") == (
        "--checkpoint",
        "{checkpoint}",
    )


def test_a_switch_is_given_as_a_switch():
    assert hint_for("p.add_argument('--resume', action='store_true')") == ("--resume",)
    assert hint_for("p.add_argument('--resume', type=str2bool)") == ("--resume", "true")
    assert hint_for("p.add_argument('--resume', choices=['auto', 'never'])") == (
        "--resume",
        "auto",
    )


def test_a_switch_takes_with_it_the_path_that_it_resumes_from():
    options = (
        "p.add_argument('-r', '--resume', action='store_true')",
        "p.add_argument('--ckpt', help='the file to resume from')",
    )
    hint = resume_arguments(script(*options), [])
    assert hint == ResumeHint(
        ("--resume", "--ckpt", "{checkpoint}"), "train.py defines --resume", "file"
    )


def test_an_explicit_path_is_preferred_to_a_switch():
    options = (
        "p.add_argument('--resume', action='store_true')",
        "p.add_argument('--resume-from')",
    )
    assert resume_arguments(script(*options), []).args == ("--resume-from", "{checkpoint}")


def test_the_spelling_that_the_user_typed_is_kept_so_that_it_is_replaced():
    assert hint_for("p.add_argument('-r', '--resume')", "-r", "old.pt") == ("-r", "{checkpoint}")
    assert hint_for("p.add_argument('-r', '--resume')") == ("--resume", "{checkpoint}")


def test_nanogpt_resumes_by_init_from():
    source = script("init_from = 'scratch'", "exec(open('configurator.py').read())")
    assert resume_arguments(source, ["config.py"]).args == ("--init_from=resume",)


def test_a_lightning_cli_resumes_only_when_it_fits():
    assert hint_for("LightningCLI(Model)", "fit", "--config", "x") == (
        "--ckpt_path",
        "{checkpoint}",
    )
    assert hint_for("LightningCLI(Model)", "test") == ()


def test_a_hugging_face_script_takes_a_folder():
    source = script("HfArgumentParser(TrainingArguments)", "args.resume_from_checkpoint")
    hint = resume_arguments(source, [])
    assert (hint.args[0], hint.takes) == ("--resume_from_checkpoint", "folder")


@pytest.mark.parametrize(
    ("help", "takes"),
    [("a file", "file"), ("a .pt", "file"), ("a directory", "folder"), ("x", "either")],
)
def test_the_help_tells_whether_a_file_or_a_folder_is_taken(help, takes):
    assert (
        resume_arguments(script(f"p.add_argument('--resume', help='{help}')"), []).takes == takes
    )


def test_what_is_configured_wins():
    hint = resume_arguments(script("p.add_argument('--resume')"), [], ["--load", "{checkpoint}"])
    assert hint == ResumeHint(("--load", "{checkpoint}"), "resume_args of the configuration")
    assert resume_arguments(script("p.add_argument('--resume')"), [], []).args == ()


def test_without_a_flag_the_reason_says_what_happens_instead():
    reader = Script("train.py", (), frozenset({"TRAINCTL_RESUME_FROM"}))
    assert resume_arguments(reader, []).why == "train.py reads TRAINCTL_RESUME_FROM"
    assert resume_arguments(NO_SCRIPT, []).why == "there is no Python script to read"
