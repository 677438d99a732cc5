"""`trainctl config`: what holds here and where it comes from, what is wrong, where files lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from trainctl import config
from trainctl.cli import output
from trainctl.cli.stand import folder
from trainctl.config import KEYS, Key, Place, Settings
from trainctl.errors import ConfigError, NotFoundError, UsageError
from trainctl.telemetry.escapes import neutralise

HELP = """\
Show, validate or find the configuration. Later wins: defaults, your own file, the project's
trainctl.toml or [tool.trainctl] in pyproject.toml, TRAINCTL_ variables, options of a command.

\b
Examples:
  trainctl config show                 every key, its value, and where that comes from
  trainctl config validate             everything that is wrong, not only the first
  trainctl config path                 where the files are, or would be
"""
SHOW_HELP = """\
Show every setting that holds here, and where its value comes from.

\b
Examples:
  trainctl config show
  trainctl config show retries grace
  trainctl config show --changed       only what is no default
  trainctl config show --json
"""
VALIDATE_HELP = """\
Tell everything that is wrong with the settings that hold here, or with one file. Exit code 3
when something is.

\b
Examples:
  trainctl config validate
  trainctl config validate ../other/trainctl.toml
"""
PATH_HELP = """\
Print where the settings files are, or would be.

\b
Examples:
  trainctl config path
  $EDITOR "$(trainctl config path project)"
  trainctl config path --json
"""
OWNERS = ("user", "project")
_JSON = click.option("--json", "as_json", is_flag=True, help="The documented envelope, on stdout.")
_WIDEST = 44  # columns for `key = value`; a longer one pushes its origin to the right


class _Commands(click.Group):
    """Says which of its commands was meant, and lists them in the order in which they stand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            raise UsageError(f"trainctl config has no {args[0]!r}", hint=_meant(args[0]))
        return super().resolve_command(ctx, args)


def _meant(word: str) -> str:
    import difflib

    known = {name: name for name in config_command.commands}
    known |= {key.name: f"show {key.name}" for key in KEYS}
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return (
        f"did you mean trainctl config {known[close[0]]}?" if close else "trainctl config --help"
    )


@click.group("config", cls=_Commands, help=HELP, invoke_without_command=True)
@click.pass_context
def config_command(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        output.line(ctx.get_help())


@config_command.command("show", help=SHOW_HELP, short_help="Every setting, and its origin.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--changed", is_flag=True, help="Only what is no default.")
@_JSON
def show_command(*, keys: tuple[str, ...], changed: bool, as_json: bool) -> int:
    settings, problems = config.examine(folder(), dict(os.environ))
    shown = [key for key in _asked(keys) if not (changed and key.name not in settings.origins)]
    if as_json:
        data = [_key_to_json(key, settings) for key in shown]
        told = [_to_json(problem) for problem in problems]
        output.print_json("config.show", {"settings": data, "problems": told})
    else:
        _print_settings(shown, settings)
        for warning in config.unread_variables(os.environ):
            output.note(f"trainctl: {neutralise(warning.message)}; {warning.hint}")
        for problem in problems:
            output.print_error(problem)
    return ConfigError.exit_code if problems else 0


def _asked(names: Sequence[str]) -> list[Key]:
    """The keys of these names; all for none. A variable's name will do too."""
    spelled = {key.name: key for key in KEYS} | {key.variable: key for key in KEYS}
    asked = [name.replace("-", "_") for name in names]
    for name in asked:
        if name not in spelled:
            error = config.unknown_key(name, "config show")
            raise UsageError(error.message, hint=error.hint)
    return [spelled[name] for name in asked] if asked else list(KEYS)


def _print_settings(keys: list[Key], settings: Settings) -> None:
    """As TOML that may be copied into a file, each line with where it comes from."""
    lines = [(_assignment(key, settings), settings.origin(key.name)) for key in keys]
    width = max((len(text) for text, _ in lines if len(text) <= _WIDEST), default=0)
    for text, origin in lines:
        said = f"{text:<{width}}  # {neutralise(output.home_short(origin))}"
        if text.startswith("#"):
            said = text
        dim = origin == "default" and output.has_colour()
        output.line(click.style(said, dim=True) if dim else said)


def _assignment(key: Key, settings: Settings) -> str:
    text = settings.text(key.name)
    if key.name == "env":
        text = config.toml(_without_secrets(settings))
    return f"# {key.name} is not set" if text == "not set" else f"{key.name} = {neutralise(text)}"


def _without_secrets(settings: Settings) -> list[str]:
    """NAME=VALUE words as `run` records them: a value under a secret's name is nobody's to see."""
    from trainctl.control.environment import looks_secret

    words = [word.partition("=") for word in settings.env]
    return [f"{n}=(hidden)" if eq and looks_secret(n) else f"{n}{eq}{v}" for n, eq, v in words]


def _key_to_json(key: Key, settings: Settings) -> dict[str, Any]:
    value = settings.value(key.name)
    return {
        "key": key.name,
        "value": _without_secrets(settings) if key.name == "env" else value,
        "origin": settings.origin(key.name),
        "variable": key.variable,
        "help": key.help,
    }


@config_command.command("validate", help=VALIDATE_HELP, short_help="All that is wrong.")
@click.argument("path", required=False)
@_JSON
def validate_command(*, path: str | None, as_json: bool) -> int:
    looked_at, problems = _looked_at() if path is None else _look_at(path)
    warnings = config.unread_variables(os.environ) if path is None else []
    if as_json:
        data = {
            "valid": not problems,
            "looked_at": looked_at,
            "problems": [_to_json(problem) for problem in problems],
            "warnings": [_to_json(warning) for warning in warnings],
        }
        output.print_json("config.validate", data)
    else:
        _print_problems(looked_at, problems, warnings)
    return ConfigError.exit_code if problems else 0


def _looked_at() -> tuple[list[str], list[ConfigError]]:
    """What was looked at, in words, and what is wrong with it."""
    _, problems = config.examine(folder(), dict(os.environ))
    places = config.files(folder(), dict(os.environ), [])
    there = [_named(place) for place in places if os.path.lexists(place.path)]
    return [*(there or ["no settings file"]), "TRAINCTL_ variables"], problems


def _look_at(path: str) -> tuple[list[str], list[ConfigError]]:
    if not os.path.lexists(path):
        raise NotFoundError(f"there is no {path}", hint="which there are: trainctl config path")
    own = config.user_place(folder(), dict(os.environ)).path
    is_own = os.path.exists(own) and os.path.exists(path) and os.path.samefile(own, path)
    return [path], config.validate(path, "user" if is_own else "project")


def _print_problems(
    looked_at: list[str], problems: list[ConfigError], warnings: list[ConfigError]
) -> None:
    for wrong in [*problems, *warnings]:
        output.line(neutralise(output.home_short(wrong.message)))
        output.line(f"  try: {neutralise(wrong.hint or '')}")
    if problems:
        output.note(f"trainctl: {len(problems)} problem{'s' if len(problems) > 1 else ''}")
    else:
        told = ", ".join(neutralise(output.home_short(name)) for name in looked_at)
        output.line(f"valid: {told}")


@config_command.command("path", help=PATH_HELP, short_help="Where the files are, or would be.")
@click.argument("owner", required=False, type=click.Choice(OWNERS))
@_JSON
def path_command(*, owner: str | None, as_json: bool) -> int:
    places, problems = _places()
    asked = [place for place in places if owner in {None, place.owner}]
    if as_json:
        data = [{**place._asdict(), "exists": os.path.exists(place.path)} for place in asked]
        output.print_json("config.path", data)
    elif owner is not None:
        for place in asked:
            output.line(place.path)
    else:
        for place in asked:
            absent = "" if os.path.exists(place.path) else "  (not there)"
            output.line(f"{place.owner:<8} {neutralise(_named(place))}{absent}")
    for problem in [] if as_json else problems:
        output.print_error(problem)
    return ConfigError.exit_code if problems else 0


def _places() -> tuple[list[Place], list[ConfigError]]:
    """Both files, the project's where `init` would put it when there is none."""
    problems: list[ConfigError] = []
    places = config.files(folder(), dict(os.environ), problems)
    if not problems and all(place.owner != "project" for place in places):
        places.append(Place(os.path.join(folder(), config.FILE), "project"))
    return places, problems


def _named(place: Place) -> str:
    return f"{place.path} [{place.section}]" if place.section else place.path


def _to_json(problem: ConfigError) -> dict[str, str | None]:
    return {"message": problem.message, "hint": problem.hint}
