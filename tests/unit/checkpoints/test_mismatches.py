"""What speaks against a checkpoint for a script is told; what does not, is not."""

from __future__ import annotations

from trainctl.checkpoints.formats.protocol import Inspection, Resuming, Verdict
from trainctl.checkpoints.mismatches import Loader, told
from trainctl.checkpoints.scripts.resume import ResumeHint
from trainctl.checkpoints.scripts.script import Script

SCRIPT = Script("train.py", imports=frozenset({"torch"}))
HINT = ResumeHint(("--resume", "{checkpoint}"), "train.py defines --resume")


def said(
    inspection: Inspection,
    script: Script = SCRIPT,
    hint: ResumeHint = HINT,
    ranks: int | None = 1,
    *,
    is_dir: bool = False,
    same: bool = False,
) -> list[str]:
    resuming = Resuming("as it likes", same_world_size=same)
    return told("last.pt", inspection, resuming, Loader(script, hint, ranks), is_dir=is_dir)


def test_what_fits_is_not_spoken_of():
    assert said(Inspection("torch", world_size=1)) == []


def test_another_framework_is_told():
    [line] = said(Inspection("lightning", framework="Lightning"))
    assert line == "last.pt was written by Lightning, which train.py does not import"


def test_trainers_folders_want_its_package():
    script = Script("train.py", imports=frozenset({"pytorch_lightning"}))
    [line] = said(Inspection("huggingface", framework="Hugging Face Trainer"), script)
    assert "which train.py does not import" in line


def test_packages_that_build_on_the_framework_are_it():
    for name, inspection in (
        ("trl", Inspection("huggingface", framework="Hugging Face Trainer")),
        ("pytorch_lightning", Inspection("lightning", framework="Lightning")),
        ("tensorflow", Inspection("keras", framework="Keras")),
    ):
        assert said(inspection, Script("train.py", imports=frozenset({name}))) == []


def test_of_a_script_that_could_not_be_read_nothing_is_said():
    assert said(Inspection("lightning", framework="Lightning"), Script()) == []


def test_a_folder_where_a_file_is_wanted_is_told_and_the_other_way_round():
    file, folder = HINT._replace(takes="file"), HINT._replace(takes="folder")
    assert said(Inspection("torch"), hint=file, is_dir=True) == [
        "last.pt is a folder, and --resume of train.py takes a file"
    ]
    assert said(Inspection("torch"), hint=folder) == [
        "last.pt is a file, and --resume of train.py takes a folder"
    ]
    assert said(Inspection("torch"), hint=file) == []


def test_another_number_of_ranks_is_told_with_what_it_costs():
    [costly] = said(Inspection("dcp", world_size=4), same=True)
    [cheap] = said(Inspection("dcp", world_size=4), ranks=2)
    assert "was saved by 4 ranks, and this attempt has 1 rank:" in costly
    assert costly.endswith("it can be loaded by as many only")
    assert "random states" in cheap
    assert said(Inspection("dcp", world_size=4), ranks=None) == []


def test_what_runs_code_is_told_with_the_names():
    names = ("collections.OrderedDict", "os.system", "a.b", "c.d", "e.f")
    [line] = said(Inspection("torch", imports=names, verdict=Verdict.CODE))
    assert line == "last.pt runs code when loaded: it imports os.system, a.b, c.d and 1 more"
