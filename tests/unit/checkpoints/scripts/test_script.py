from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainctl.checkpoints.scripts.options import SIZE_LIMIT, Option
from trainctl.checkpoints.scripts.script import NO_SCRIPT, read_options, read_script, values_given


def only(source: str) -> Option:
    (option,) = read_options(source.encode())
    return option


def test_an_argparse_option_is_read_with_all_that_is_literal():
    assert only(
        "p.add_argument('-o', '--out-dir', type=Path, default='out',"
        " choices=['a', 'b'], help='Where')"
    ) == Option(("-o", "--out-dir"), "out_dir", "out", True, ("a", "b"), "Path", "Where")


@pytest.mark.parametrize(
    ("default", "value"),
    [
        ("'out'", "out"),
        ("Path('runs') / 'a'", "runs/a"),
        ("os.path.join('runs', 'a')", "runs/a"),
        ("pathlib.Path('runs')", "runs"),
        ("DEFAULT", "out"),
        ("os.environ.get('OUT', 'elsewhere')", "elsewhere"),
        ("os.getenv('OUT') or 'elsewhere'", "elsewhere"),
        ("3", 3),
        ("None", None),
        ("compute()", None),
        ("f'out/{name}'", None),
        ("LOOP", None),
    ],
)
def test_a_default_is_told_only_where_it_is_a_literal(default, value):
    option = only(f"DEFAULT = 'out'\nLOOP = LOOP\np.add_argument('--out', default={default})")
    assert option.default == value


@pytest.mark.parametrize(
    "default",
    [
        "os.environ.get('OUT', 'x')",
        "os.getenv('OUT')",
        "os.environ['OUT']",
        "Path(os.environ['OUT'])",
    ],
)
def test_the_environment_variable_of_a_default_is_named(default):
    assert only(f"p.add_argument('--out', default={default})").variable == "OUT"


@pytest.mark.parametrize("action", ["'store_true'", "'count'", "argparse.BooleanOptionalAction"])
def test_a_switch_takes_no_value(action):
    assert not only(f"p.add_argument('--resume', action={action})").takes_value


def test_positional_arguments_are_no_options():
    assert read_options(b"p.add_argument('data')") == []


def test_click_options_are_read():
    source = """
@click.command()
@click.option("--resume", "resume_path", type=click.Path(), default=None, help="Resume from")
@click.option("--fast/--slow")
@click.option("--mode", type=click.Choice(["auto", "never"]))
def main(): ...
"""
    resume, fast, mode = read_options(source.encode())
    assert (resume.flags, resume.dest, resume.type) == (("--resume",), "resume_path", "Path")
    assert (fast.flags, fast.takes_value) == (("--fast", "--slow"), False)
    assert mode.choices == ("auto", "never")


def test_typer_parameters_are_options_with_hyphens():
    source = """
import typer
app = typer.Typer()
@app.command()
def main(data: str, resume_from: Optional[Path] = None, *, fast: bool = False,
         out: Annotated[Path, typer.Option("--out-dir", "-o", help="Where")] = Path("out"),
         n: int = typer.Option(3, "--count")): ...
"""
    options = {option.dest: option for option in read_options(source.encode())}
    assert options["resume_from"].flags == ("--resume-from",)
    assert options["resume_from"].type == "Path"
    assert not options["fast"].takes_value
    assert (options["out"].flags, options["out"].default) == (("--out-dir", "-o"), "out")
    assert (options["n"].flags, options["n"].default) == (("--count",), 3)
    assert "data" not in options


def test_a_hugging_face_script_has_the_options_of_its_arguments():
    source = """
@dataclass
class ScriptArguments:
    data_path: str = field(default="data", metadata={})
parser = HfArgumentParser((ScriptArguments, TrainingArguments))
trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
"""
    flags = {flag for option in read_options(source.encode()) for flag in option.flags}
    assert {"--resume_from_checkpoint", "--output_dir", "--data_path", "--data-path"} <= flags


def test_a_hugging_face_script_that_ignores_the_field_does_not_resume_by_it():
    options = read_options(b"HfArgumentParser(TrainingArguments); trainer.train()")
    assert [option.dest for option in options] == ["output_dir"]


def test_a_configurator_script_takes_its_constants_as_options():
    source = """
out_dir = 'out'
init_from = 'scratch'
n = 3
x = f()
exec(open('configurator.py').read())
"""
    options = read_options(source.encode())
    assert [(option.flags, option.default) for option in options] == [
        (("--out_dir",), "out"),
        (("--init_from",), "scratch"),
        (("--n",), 3),
    ]


def test_absl_and_lightning_options_are_read():
    assert only("flags.DEFINE_string('workdir', 'out', 'Where.')").flags == ("--workdir",)
    assert read_options(b"cli = LightningCLI(Model)")[0].flags == ("--ckpt_path",)


def test_a_folder_that_is_set_in_the_source_is_a_constant():
    option = only("TrainingArguments(output_dir='results')")
    assert (option.flags, option.dest, option.default) == ((), "output_dir", "results")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\x00",
        b"def (",
        b"# coding: no-such\n",
        b"\xff\xfe\x00",
        b"x = '\\d'",
        b"(" * 100_000,
        b"x = " + b"-" * 200_000 + b"1",
        b"x = " + b"1+" * 200_000 + b"1",
        b"x = a" + b".b" * 100_000,
        b"a" * (SIZE_LIMIT + 1),
        b"1" * 10_000,
    ],
    ids=range(12),
)
def test_hostile_source_tells_nothing(source):
    assert read_options(source) == []


@given(st.text(alphabet="pad_rgumentoi(),.=-'\"\n [])@:x/", max_size=80))
def test_reading_never_raises(text):
    read_options(b"p.add_argument" + text.encode())


def test_options_of_a_module_beside_the_script_are_found(tmp_path):
    (tmp_path / "train.py").write_text("from args import get_parser\nget_parser().parse_args()")
    (tmp_path / "args.py").write_text(
        "def get_parser():\n p = P()\n more(p)\n return p\n"
        "def more(p):\n p.add_argument('--resume')\n"
        "def unrelated(p):\n p.add_argument('--never')\n"
        "if __name__ == '__main__':\n p.add_argument('--nor-this')\n"
    )
    script = read_script(str(tmp_path / "train.py"))
    assert script.name == "train.py"
    assert [option.dest for option in script.options] == ["resume"]


@pytest.mark.parametrize(
    "line",
    [
        "from lib import args\nargs.make()",
        "import lib.args as args\nargs.make()",
        "from lib.args import *",
        "from .lib.args import make",
    ],
)
def test_modules_in_local_packages_are_found_however_they_are_imported(tmp_path, line):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "args.py").write_text("def make():\n p.add_argument('--resume')")
    (tmp_path / "train.py").write_text(line)
    assert [option.dest for option in read_script(str(tmp_path / "train.py")).options] == [
        "resume"
    ]


def test_a_script_that_cannot_be_read_tells_nothing(tmp_path):
    assert read_script(None) == NO_SCRIPT
    assert read_script(str(tmp_path)).options == ()
    assert read_script(str(tmp_path / "absent.py")).options == ()


def test_variables_of_ours_are_noticed(tmp_path):
    (tmp_path / "train.py").write_text("os.environ.get('TRAINCTL_RESUME_FROM')")
    assert read_script(str(tmp_path / "train.py")).variables == {"TRAINCTL_RESUME_FROM"}


OPTIONS = [
    Option(("-o", "--out-dir"), "out_dir"),
    Option(("--fast",), "fast", takes_value=False),
    Option(("--init_from",), "init_from", reader="configurator"),
]


@pytest.mark.parametrize(
    ("args", "values"),
    [
        (["--out-dir", "x"], {"out_dir": "x"}),
        (["--out-dir=x"], {"out_dir": "x"}),
        (["-o", "a", "--out-dir", "b"], {"out_dir": "b"}),
        (["--fast", "y"], {"fast": "true"}),
        (["--out-dir", "--fast"], {"fast": "true"}),
        (["--init_from", "x", "--init_from=y"], {"init_from": "y"}),
        (["--", "--fast"], {}),
        (["--out-dir"], {"out_dir": ""}),
        (["--other", "--x=y"], {}),
    ],
)
def test_what_the_arguments_set_is_read_as_the_script_would(args, values):
    assert values_given(OPTIONS, args) == values
