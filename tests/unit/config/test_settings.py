from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.config import KEYS, Settings, examine, load, unread_variables, validate
from trainctl.config.keys import BY_NAME
from trainctl.errors import ConfigError, UsageError


class World:
    """A home and a project inside a git tree."""

    def __init__(self, folder: Path) -> None:
        self.user = folder / "home" / ".config" / "trainctl" / "config.toml"
        self.project = folder / "project"
        self.deep = self.project / "src" / "deep"
        self.user.parent.mkdir(parents=True)
        self.deep.mkdir(parents=True)
        (self.project / ".git").mkdir()
        self.environ = {"HOME": f"{folder}/home"}

    def load(self, cwd: Path | None = None, **environ: str) -> Settings:
        return load(f"{cwd or self.project}", {**self.environ, **environ})

    def problems(self, **environ: str) -> list[ConfigError]:
        return examine(f"{self.project}", {**self.environ, **environ})[1]

    def says(self, name: str, text: str) -> None:
        (self.project / name).write_text(text)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_table_and_the_settings_have_the_same_names():
    assert Settings._fields == (*(key.name for key in KEYS), "origins")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_example_is_valid_and_every_default_shows(world: World, key):
    (world.user).write_text(f"{key.name} = {key.example}\n")
    settings = world.load()
    assert settings.value(key.name) is not None
    assert settings.origin(key.name) == f"{world.user}:1"
    assert settings.text(key.name)


def test_without_any_file_the_defaults_hold(world: World):
    settings = world.load()
    assert settings.home == f"{world.environ['HOME']}/.trainctl"
    assert (settings.retries, settings.grace, settings.stall_after) == (0, 30.0, 1800.0)
    assert settings.origin("retries") == "default"


def test_later_sources_win_and_each_value_knows_its_origin(world: World):
    world.user.write_text("retries = 1\ngpus = 1\nmax_hours = 1\ndisk_warn_gb = 1\n")
    world.says("trainctl.toml", "retries = 2\ngpus = 2\nmax_hours = 2\n")
    settings = world.load(TRAINCTL_RETRIES="3", TRAINCTL_GPUS="3")
    settings = settings.with_flags({"retries": 4, "gpus": None}, f"{world.project}")
    assert settings[4:6] == (4, 2.0)
    assert settings.gpus == 3
    assert settings.disk_warn_gb == 1.0
    assert settings.origin("retries") == "option --retries"
    assert settings.origin("gpus") == "environment variable TRAINCTL_GPUS"
    assert settings.origin("max_hours") == f"{world.project}/trainctl.toml:3"
    assert settings.origin("disk_warn_gb") == f"{world.user}:4"


def test_variables_and_tags_of_all_sources_are_joined(world: World):
    world.user.write_text('env = ["WANDB_API_KEY"]\n')
    world.says("trainctl.toml", 'env = ["HF_TOKEN"]\n')
    settings = world.load(TRAINCTL_ENV="A='x y' B").with_flags({"env": ["C=1"]}, "/")
    assert settings.env == ("WANDB_API_KEY", "HF_TOKEN", "A=x y", "B", "C=1")
    assert settings.origin("env").count(" and ") == 3


def test_a_project_is_found_from_below_and_in_pyproject_too(world: World):
    world.says("pyproject.toml", "[project]\nname = 'x'\n\n[tool.trainctl]\nretries = 2\n")
    settings = world.load(world.deep)
    assert settings.retries == 2
    assert settings.origin("retries") == f"{world.project}/pyproject.toml:5"


def test_the_nearest_project_file_counts(world: World):
    world.says("trainctl.toml", "retries = 1\n")
    (world.deep / "trainctl.toml").write_text("retries = 2\n")
    assert world.load(world.deep).retries == 2


def test_nobodys_file_above_counts_outside_a_git_tree(world: World):
    (world.project / ".git").rmdir()
    world.says("trainctl.toml", "retries = 1\n")
    assert world.load(world.deep).retries == 0
    assert world.load(world.project).retries == 1


def test_two_files_of_one_project_are_refused_with_which_to_delete(world: World):
    world.says("trainctl.toml", "")
    world.says("pyproject.toml", "[tool.trainctl]\n")
    with pytest.raises(ConfigError, match="has both") as caught:
        world.load()
    assert "delete [tool.trainctl] from" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "[tool.trainctl]\nretries = 2",
        "[ 'tool' . \"trainctl\" ]\nretries = 2",
        "tool.trainctl.retries = 2",
        "[tool]\ntrainctl.retries = 2",
        "tool = {trainctl = {retries = 2}}",
    ],
)
def test_every_spelling_of_the_section_is_found(world: World, text: str):
    world.says("pyproject.toml", text)
    assert world.load().retries == 2


def test_a_pyproject_that_is_not_about_us_is_not_even_parsed(world: World):
    world.says("pyproject.toml", "dependencies = [trainctl this is not TOML")
    assert world.load() == world.load(world.deep)


def test_relative_paths_belong_to_the_project_or_to_where_one_stands(world: World):
    world.says("trainctl.toml", 'checkpoint_dir = "out"\npython = ".venv/bin/python"\n')
    settings = world.load(world.deep, TRAINCTL_ENV_FILE=".env")
    assert settings.checkpoint_dir == f"{world.project}/out"
    assert settings.python == f"{world.project}/.venv/bin/python"
    assert settings.env_file == f"{world.deep}/.env"
    assert world.load(TRAINCTL_PYTHON="python3.12").python == "python3.12"
    assert world.load(TRAINCTL_PYTHON="~/py").python == f"{world.environ['HOME']}/py"


def test_a_relative_home_is_refused(world: World):
    with pytest.raises(ConfigError, match="home must be an absolute path, not 'state'"):
        world.load(TRAINCTL_HOME="state")


def test_a_project_may_not_move_the_home(world: World):
    world.says("trainctl.toml", '\nhome = "/tmp/x"\n')
    with pytest.raises(ConfigError, match=r"trainctl\.toml:2: home may not be set by a project"):
        world.load()


def test_an_unknown_key_is_named_with_its_line_and_what_was_meant(world: World):
    world.says("trainctl.toml", "gpus = 1\nretrys = 3\n")
    with pytest.raises(ConfigError, match=r"trainctl\.toml:2: unknown key 'retrys'") as caught:
        world.load()
    assert "did you mean retries?" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("retries = '3'", 'retries must be a whole number, 0 or more, not text "3"'),
        ("retries = true", "not true/false true"),
        ("retries = -1", "not a number -1"),
        ("gpus = 1" + "0" * 4000, "not a number of many digits"),
        ("max_hours = 0", "above zero"),
        ("max_hours = nan", "above zero"),
        ("grace = 'soon'", "'soon' is not a duration"),
        ("stall_after = true", 'or "off", not true/false'),
        ("nproc = 'all'", 'or "auto", not text "all"'),
        ("tags = 'a'", 'tags must be a list of texts, not text "a"'),
        ("tags = [1]", "not a list [1]"),
        ("env = ['1A=2']", "is neither NAME nor NAME=VALUE"),
        ("resume_args = ['--resume', 'last']", 'must hold "{checkpoint}"'),
        ("name = '../x'", "letters, digits"),
        ("python = ''", "python must be text"),
        ("checkpoint_dir = 2024-01-01", "not a date"),
        ("grace = {a = 1}", "not a table"),
        ("push = 'every 0'", 'or "off", not text "every 0"'),
        ("keep_last = 0", "above zero"),
        ("keep_best = '2:loss'", "after N come the metric's name and min or max"),
        ("max_size = 'much'", "'much' is not a size"),
        ("max_size = true", "a size (500MB"),
    ],
)
def test_a_wrong_value_is_named_with_its_type_and_an_example(
    world: World, line: str, message: str
):
    world.says("trainctl.toml", f"{line}\n")
    with pytest.raises(ConfigError) as caught:
        world.load()
    assert f"{world.project}/trainctl.toml:1: " in caught.value.message
    assert message in caught.value.message
    assert "write for example: " in (caught.value.hint or "")


def test_all_problems_are_told_and_the_right_values_still_hold(world: World):
    world.user.write_text("retrys = 1\n")
    world.says("trainctl.toml", "gpus = 'x'\nname = 'ok'\n")
    assert len(world.problems(TRAINCTL_GRACE="soon", TRAINCTL_TAGS="'open")) == 4
    with pytest.raises(ConfigError, match=r"\(and 1 more: trainctl config validate\)"):
        world.load()
    assert examine(f"{world.project}", world.environ)[0].name == "ok"


def test_a_file_can_be_validated_alone(world: World):
    world.says("trainctl.toml", "gpus = 'x'\nhome = '/x'\nretries = 1\n")
    path = f"{world.project}/trainctl.toml"
    assert len(validate(path)) == 2
    assert len(validate(path, "user")) == 1
    assert "does not exist" in validate(f"{path}x")[0].message


def test_a_section_that_is_no_table_is_refused(world: World):
    world.says("pyproject.toml", "[tool]\ntrainctl = 3\n")
    with pytest.raises(ConfigError, match=r"unknown key 'tool\.trainctl'"):
        world.load()


def test_the_users_file_is_where_the_environment_says(world: World, tmp_path: Path):
    (tmp_path / "mine.toml").write_text("retries = 5\n")
    (tmp_path / "trainctl").mkdir()
    (tmp_path / "trainctl" / "config.toml").write_text("retries = 6\n")
    assert world.load(TRAINCTL_CONFIG=f"{tmp_path}/mine.toml").retries == 5
    assert world.load(XDG_CONFIG_HOME=f"{tmp_path}").retries == 6
    assert world.load(TRAINCTL_CONFIG="/dev/null", XDG_CONFIG_HOME=f"{tmp_path}").retries == 0
    with pytest.raises(ConfigError, match=r"TRAINCTL_CONFIG names .*none\.toml, which does not"):
        world.load(TRAINCTL_CONFIG=f"{tmp_path}/none.toml")


def test_inside_a_run_the_trainers_variables_are_no_settings(world: World):
    assert world.load(TRAINCTL_CHECKPOINT_DIR="/x").checkpoint_dir == "/x"
    nested = world.load(TRAINCTL_CHECKPOINT_DIR="/x", TRAINCTL_RUN_DIR="/r")
    assert nested.checkpoint_dir is None


def test_an_empty_variable_is_not_set(world: World):
    assert world.load(TRAINCTL_RETRIES="").retries == 0


def test_a_mistyped_variable_is_told_but_stops_nobody(world: World):
    [problem] = unread_variables({"TRAINCTL_RETRYS": "1", "TRAINCTL_RUN": "x", "HOME": "/"})
    assert "TRAINCTL_RETRYS" in problem.message
    assert "did you mean TRAINCTL_RETRIES?" in (problem.hint or "")


def test_a_wrong_option_is_a_wrong_command_line(world: World):
    with pytest.raises(UsageError, match="option --max-hours: max_hours must be"):
        world.load().with_flags({"max_hours": "many"}, "/")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("store = 'gs://bucket/x'", 'store must be s3://BUCKET/PREFIX, or a folder, not text "gs'),
        ("store = 's3://key:secret@bucket'", "store must be"),
        ("store = 's3://'", "store must be"),
        ("store_endpoint = 'minio:9000'", "a URL of https or http"),
        ("store_endpoint = 'https://me:secret@host'", "without a user"),
    ],
)
def test_what_no_store_can_be_is_refused(world: World, line: str, message: str):
    world.user.write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        world.load()


def test_a_store_is_a_url_or_a_folder_and_never_the_choice_of_a_project(world: World):
    world.says("trainctl.toml", "store = 's3://elsewhere/x'\n")
    with pytest.raises(ConfigError, match="may not be set by a project"):
        world.load()
    world.says("trainctl.toml", "push = 'every  3'\n")
    assert world.load(TRAINCTL_STORE="s3://bucket/a/../b").store == "s3://bucket/a/../b"
    assert world.load(TRAINCTL_STORE="~/kept").store == f"{world.environ['HOME']}/kept"
    assert world.load(TRAINCTL_STORE="kept").store == f"{world.project}/kept"
    assert world.load().push == "every 3"


def test_values_are_shown_as_one_would_type_them(world: World):
    world.says("trainctl.toml", 'stall_after = "off"\ntags = ["a", "ü"]\n')
    settings = world.load()
    shown = [settings.text(name) for name in ("grace", "stall_after", "tags", "python", "retries")]
    assert shown == ['"30s"', '"off"', '["a", "ü"]', "not set", "0"]
    assert settings.text("kept_limit") == '"20GB"'
    assert BY_NAME["retries"].variable == "TRAINCTL_RETRIES"
