from __future__ import annotations

import pytest

from trainctl.checkpoints.scripts.folders import Folders, checkpoint_folders
from trainctl.checkpoints.scripts.script import NO_SCRIPT, Script, read_options

OWN = "/runs/a/checkpoints"
USUAL = ("/w/checkpoints", "/w/out", "/w/outputs", "/w/runs", "/w/lightning_logs")


def folders(source: str, *args: str, configured: str | None = None) -> Folders:
    ours = {"TRAINCTL_CHECKPOINT_DIR"} if "TRAINCTL_CHECKPOINT_DIR" in source else set[str]()
    script = Script("train.py", tuple(read_options(source.encode())), frozenset(ours))
    return checkpoint_folders(script, args, "/w", configured, OWN)


def test_without_a_word_from_anybody_it_is_the_runs_own_folder_and_the_usual_ones():
    found = checkpoint_folders(NO_SCRIPT, [], "/w", None, OWN)
    assert found == Folders((OWN, *USUAL), OWN, "the run's own folder, as nothing names another")


def test_what_is_configured_is_first_and_the_scripts_own_is_watched_too():
    found = folders("p.add_argument('--out-dir', default='x')", configured="../ck")
    assert (found.first, found.why) == ("/ck", "as configured")
    assert "/w/x" in found.all


@pytest.mark.parametrize(
    "flag",
    ["--output_dir", "--out-dir", "--save-dir", "--checkpoint-dir", "--ckpt_dir", "--output"],
)
def test_the_scripts_own_output_option_is_first(flag):
    given = folders(f"p.add_argument('{flag}', default='x')", flag, "y")
    assert (given.first, given.why) == ("/w/y", f"{flag} as given")
    default = folders(f"p.add_argument('{flag}', default='x')")
    assert (default.first, default.why) == ("/w/x", f"{flag} as train.py has it")


def test_the_most_telling_option_is_first_and_all_are_watched():
    found = folders(
        "p.add_argument('--output', default='o')\np.add_argument('--checkpoint-dir', default='c')"
    )
    assert found.all[:2] == ("/w/c", "/w/o")


def test_a_script_that_reads_our_variable_writes_to_the_runs_own_folder():
    source = "p.add_argument('--out', default=os.environ.get('TRAINCTL_CHECKPOINT_DIR', 'x'))"
    assert folders(source).first == OWN
    assert folders(source).why == "train.py reads TRAINCTL_CHECKPOINT_DIR"
    assert folders(source, "--out", "y").first == "/w/y"


def test_an_output_file_means_its_folder():
    assert folders("p.add_argument('--save-path', default='models/m.pt')").first == "/w/models"


def test_a_log_folder_is_watched_and_never_first():
    found = folders("p.add_argument('--logdir', default='logs')")
    assert found.first == OWN
    assert "/w/logs" in found.all


@pytest.mark.parametrize(
    "source",
    [
        "p.add_argument('--save', action='store_true')",
        "p.add_argument('--out', default='')",
        "p.add_argument('--out', type=int, default=3)",
        "p.add_argument('--out', default=make())",
    ],
)
def test_what_is_no_folder_is_not_taken_for_one(source):
    assert folders(source).first == OWN


def test_constants_and_configurator_scripts_tell_their_folder():
    assert folders("TrainingArguments(output_dir='results')").first == "/w/results"
    nanogpt = "out_dir = 'out'\nexec(open('configurator.py').read())"
    assert folders(nanogpt, "--out_dir=out-shakespeare").first == "/w/out-shakespeare"
    assert folders(nanogpt).first == "/w/out"
