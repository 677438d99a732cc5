from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.control.interpreter import resolve
from trainctl.control.pythons import World
from trainctl.errors import NotFoundError, RefusedError, TrainctlError, UsageError

ON_PATH = {
    "python3": "/usr/bin/python3",
    "bash": "/bin/bash",
    "torchrun": "/usr/bin/torchrun",
    "test": "/usr/bin/test",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("train.py", "tune.py", "notes.ipynb", "run.sh", "pkg/train.py", "plain/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch(mode=0o644)
    return tmp_path


def world(cwd: Path, **programs: str) -> World:
    return World(str(cwd), {}, {**ON_PATH, **programs}.get)


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_script_runs_under_the_python_that_is_chosen(project):
    made = resolve(["train.py", "--epochs", "5"], world(project))
    assert made.command == ("/usr/bin/python3", "train.py", "--epochs", "5")
    assert (made.kind, made.script, made.arguments) == ("script", 1, 2)
    assert made.source == str(project / "train.py")
    assert made.interpreter is not None
    assert made.interpreter.why == "python3 on the PATH"


def test_arguments_pass_untouched_whatever_they_look_like(project):
    odd = ["--nproc", "-m", "", "a b", "'", "new\nline", "\udcff", "--", "{port}"]
    assert resolve(["train.py", *odd], world(project)).command[2:] == tuple(odd)


def test_a_module_runs_with_m_and_its_source_is_found(project):
    made = resolve(["-m", "pkg.train", "-v"], world(project))
    assert made.command == ("/usr/bin/python3", "-m", "pkg.train", "-v")
    assert (made.kind, made.script, made.arguments) == ("module", None, 3)
    assert made.source == str(project / "pkg" / "train.py")
    assert resolve(["-m", "elsewhere"], world(project)).source is None


def test_a_folder_with_a_main_is_a_script(project):
    (project / "plain" / "__main__.py").touch()
    made = resolve(["plain"], world(project))
    assert (made.command, made.kind) == (("/usr/bin/python3", "plain"), "script")
    assert made.source == str(project / "plain" / "__main__.py")


def test_a_python_without_execute_permission_needs_none(project):
    (project / "go").write_text("#!/usr/bin/env python3\n")
    assert resolve(["./go"], world(project)).command == ("/usr/bin/python3", "./go")


def test_an_executable_is_run_itself(project):
    go = program(project / "go", "#!/bin/sh\n")
    assert resolve(["./go", "x"], world(project)).command == (f"{project}/./go", "x")
    assert resolve(["go"], world(project)).command == (str(go),)


def test_an_executable_that_is_python_shows_its_source(project):
    program(project / "go", "#!/usr/bin/env python3\n")
    made = resolve(["go", "--config", "train.py"], world(project))
    assert (made.kind, made.script, made.arguments) == ("program", 0, 1)
    assert made.source == str(project / "go")


def test_a_bare_name_on_the_path_is_that_program_even_beside_a_folder_of_its_name(project):
    (project / "test").mkdir()
    assert resolve(["test", "x"], world(project)).command == ("/usr/bin/test", "x")
    assert resolve(["bash", "run.sh"], world(project)).command == ("/bin/bash", "run.sh")


def test_a_launcher_comes_from_the_environment_that_a_script_would_use(project):
    program(project / ".venv" / "bin" / "python")
    torchrun = program(project / ".venv" / "bin" / "torchrun")
    made = resolve(["torchrun", "--nproc-per-node", "2", "train.py", "--lr", "1"], world(project))
    assert made.command[0] == str(torchrun)
    assert (made.script, made.arguments, made.source) == (3, 4, str(project / "train.py"))
    assert made.interpreter is not None
    assert made.interpreter.why == ".venv of the project"


def test_a_launcher_that_the_environment_lacks_comes_from_the_path(project):
    program(project / ".venv" / "bin" / "python")
    made = resolve(["torchrun", "train.py"], world(project))
    assert (made.command[0], made.interpreter) == ("/usr/bin/torchrun", None)


def test_a_launcher_in_a_project_of_uv_is_run_by_uv(project):
    (project / "uv.lock").touch()
    made = resolve(["torchrun", "train.py"], world(project, uv="/usr/bin/uv"))
    assert made.command == ("/usr/bin/uv", "run", "torchrun", "train.py")
    assert (made.script, made.arguments) == (3, 4)


def test_python_typed_out_is_the_environments_python(project):
    python = program(project / ".venv" / "bin" / "python")
    made = resolve(["python", "-u", "train.py"], world(project))
    assert made.command == (str(python), "-u", "train.py")
    assert (made.kind, made.script) == ("program", 2)


def test_python_of_the_path_is_said_too(project):
    made = resolve(["python3", "train.py"], world(project))
    assert made.interpreter is not None
    assert made.interpreter.why == "python3 on the PATH"


def test_a_named_python_wins_over_the_one_that_is_typed_out(project):
    other = program(project / "other" / "bin" / "python")
    made = resolve(["python", "train.py"], world(project), python="other")
    assert made.command == (str(other), "train.py")


def test_a_module_under_a_launcher_shows_its_source(project):
    made = resolve(["torchrun", "-m", "pkg.train", "-v"], world(project))
    assert (made.script, made.arguments) == (None, 3)
    assert made.source == str(project / "pkg" / "train.py")


def test_a_group_of_workers_meets_at_an_explicit_local_endpoint(project):
    made = resolve(["train.py", "--lr", "1"], world(project), nproc=2)
    line = " ".join(made.command)
    assert line.startswith(
        "/usr/bin/python3 -m torch.distributed.run --nnodes 1 --nproc-per-node 2"
    )
    assert "--rdzv-endpoint 127.0.0.1:{port} --rdzv-conf is_host=1" in line
    assert "--standalone" not in line
    assert line.endswith("--tee 3 --log-dir {ranks} -- train.py --lr 1")
    assert made.script is not None
    assert made.command[made.script] == "train.py"
    assert made.arguments == made.script + 1


def test_a_group_of_a_module_and_of_auto(project):
    made = resolve(["-m", "pkg.train", "-v"], world(project), nproc="auto")
    assert made.command[-4:] == ("-m", "--", "pkg.train", "-v")
    assert made.arguments is not None
    assert made.command[made.arguments :] == ("-v",)
    assert "auto" in made.command


def test_a_group_of_a_script_with_a_block_takes_its_requirements_from_it(project):
    (project / "train.py").write_text("# /// script\n# dependencies = ['torch']\n# ///\n")
    made = resolve(["train.py"], world(project, uv="/uv"), nproc=2)
    assert made.command[:6] == (
        "/uv",
        "run",
        "--no-project",
        "--with-requirements",
        "train.py",
        "python",
    )
    assert resolve(["train.py"], world(project, uv="/uv")).command == (
        "/uv",
        "run",
        "--script",
        "train.py",
    )


@pytest.mark.parametrize(
    ("typed", "error", "message", "hint"),
    [
        ([], UsageError, "nothing to run", "trainctl run train.py"),
        (["-m"], UsageError, "name of a module", "-m package.train"),
        (["notes.ipynb"], RefusedError, "is a notebook", "nbconvert --to script notes.ipynb"),
        (["python3", "notes.ipynb"], RefusedError, "is a notebook", "nbconvert"),
        (["plain"], RefusedError, "is a directory", "trainctl run plain/a.py"),
        (["./run.sh"], RefusedError, "no execute permission", "trainctl run bash ./run.sh"),
        (["run.sh"], RefusedError, "no execute permission", "chmod +x run.sh"),
        (["trian.py"], NotFoundError, "no file trian.py", "did you mean train.py?"),
        (["pkg/trian.py"], NotFoundError, "no file pkg/trian.py", "did you mean pkg/train.py?"),
        (["pgk/train.py"], NotFoundError, "no file pgk/train.py", "did you mean pkg/train.py?"),
        (["python"], NotFoundError, "no file or program python", "did you mean python3?"),
        (["torchrnu"], NotFoundError, "no file or program torchrnu", "did you mean torchrun?"),
        (["zzz/q.py"], NotFoundError, "no file zzz/q.py", "--cwd names another folder"),
        (["zzzz"], NotFoundError, "no file or program zzzz", "on the PATH"),
        (["--zz"], NotFoundError, "no file or program --zz", "before the command"),
        (["\0"], NotFoundError, "no file or program", "on the PATH"),
        (["x" * 5000], NotFoundError, "no file or program", "on the PATH"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_can(project, typed, error, message, hint):
    with pytest.raises(TrainctlError, match=message) as caught:
        resolve(typed, world(project))
    assert type(caught.value) is error
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("typed", "nproc", "hint"),
    [
        (["bash", "run.sh"], 2, "trainctl run bash run.sh, without --nproc"),
        (["python", "-u", "train.py", "x y"], 2, "trainctl run --nproc 2 train.py 'x y'"),
        (["torchrun", "-m", "pkg.train"], "auto", "trainctl run --nproc auto -m pkg.train"),
        (["train.py"], 0, "1 and up"),
    ],
)
def test_a_group_of_something_else_is_refused_with_the_corrected_line(project, typed, nproc, hint):
    with pytest.raises(UsageError) as caught:
        resolve(typed, world(project), nproc=nproc)
    assert hint in str(caught.value.hint)
