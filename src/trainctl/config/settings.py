"""Settings of all sources; later wins: defaults, user's file, project, environment, options."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self, cast

from trainctl.config.keys import BY_NAME, KEYS, OTHER_VARIABLES, Key, text_of
from trainctl.config.places import (
    PYPROJECT,
    SECTION,
    Place,
    expanded,
    project_place,
    section_of,
    user_place,
)
from trainctl.config.tomltext import line_of, parse_toml, read_text
from trainctl.errors import ConfigError, UsageError


class Settings(NamedTuple):
    """Frozen. None is "not set" ("off" for a patience).

    Paths are absolute, durations are seconds, sizes are bytes. Same names as in `KEYS`;
    `origins` holds only what is not a default.
    """

    home: str
    python: str | None
    checkpoint_dir: str | None
    resume_args: tuple[str, ...] | None
    retries: int
    max_hours: float | None
    grace: float
    gpus: int
    nproc: int | str | None
    env: tuple[str, ...]
    env_file: str | None
    tags: tuple[str, ...]
    stall_after: float | None
    disk_warn_gb: float
    name: str | None
    store: str | None
    store_endpoint: str | None
    store_region: str | None
    store_profile: str | None
    push: str
    keep_last: int | None
    keep_best: str | None
    keep_every: int | None
    max_size: int | None
    kept_limit: int
    origins: Mapping[str, str]

    def value(self, key: str) -> object:
        return getattr(self, _known(key).name)

    def origin(self, key: str) -> str:
        """Where the value comes from: "default", a file and line, a variable or an option."""
        return self.origins.get(_known(key).name, "default")

    def text(self, key: str) -> str:
        """The value as `config show` prints it."""
        return text_of(_known(key), self.value(key))

    def with_flags(self, given: Mapping[str, object], cwd: str) -> Self:
        """These settings under what the command line says; None means not given there.

        Raises UsageError for a value that does not fit.
        """
        values = self._asdict()
        origins = dict(self.origins)
        for name, value in given.items():
            if value is not None:
                found = Given(_known(name), value, f"option --{name.replace('_', '-')}")
                try:
                    _apply(values, origins, found, cwd, {})
                except ConfigError as error:
                    raise UsageError(error.message, hint=error.hint) from error
        return self._replace(**{**values, "origins": origins})


class Given(NamedTuple):
    """A value that somebody set, not yet checked."""

    key: Key
    value: object
    origin: str


def load(cwd: str, environ: Mapping[str, str]) -> Settings:
    """The settings that hold in `cwd`. ConfigError names the first problem, counts the rest."""
    settings, problems = examine(cwd, environ)
    if problems:
        more = f" (and {len(problems) - 1} more: trainctl config validate)"
        first = problems[0]
        raise ConfigError(first.message + (more if problems[1:] else ""), hint=first.hint)
    return settings


def examine(cwd: str, environ: Mapping[str, str]) -> tuple[Settings, list[ConfigError]]:
    """The settings as far as they are right, and everything that is not."""
    problems: list[ConfigError] = []
    values: dict[str, object] = {key.name: key.default for key in KEYS}
    values["home"] = expanded(str(values["home"]), environ)
    origins: dict[str, str] = {}
    for place in files(cwd, environ, problems):
        folder = os.path.dirname(place.path) if place.owner == "project" else cwd
        for found in _in_file(place, problems):
            with _Noting(problems):
                _apply(values, origins, found, folder, environ)
    for found in _in_environment(environ, problems):
        with _Noting(problems):
            _apply(values, origins, found, cwd, environ)
    return Settings(**cast("dict[str, object]", values), origins=origins), problems  # type: ignore[arg-type]


def files(cwd: str, environ: Mapping[str, str], problems: list[ConfigError]) -> list[Place]:
    """The files to read, weakest first; they may be absent."""
    found: list[Place] = []
    with _Noting(problems):
        found.append(user_place(cwd, environ))
    with _Noting(problems):
        project = project_place(cwd)
        found.extend([project] if project else [])
    return found


def validate(path: str, owner: str = "project") -> list[ConfigError]:
    """Everything that is wrong with one file; nothing is applied."""
    problems: list[ConfigError] = []
    section = SECTION if os.path.basename(path) == PYPROJECT else ""
    if not os.path.lexists(path):
        return [ConfigError(f"{path} does not exist", hint="trainctl init proposes one")]
    for found in _in_file(Place(path, owner, section), problems):
        with _Noting(problems):
            found.key.read(found.value, found.origin)
    return problems


def _in_file(place: Place, problems: list[ConfigError]) -> Iterator[Given]:
    if place.path == os.devnull:  # TRAINCTL_CONFIG=/dev/null: no file of my own
        return
    with _Noting(problems):
        text = read_text(place.path)
        document = parse_toml(place.path, text) if text and text.strip() else {}
        for name, value in (section_of(document, place.section) or {}).items():
            line = line_of(text or "", name, place.section)
            where = f"{place.path}:{line}" if line else place.path
            with _Noting(problems):
                yield Given(_allowed(name, place, where), value, where)


def _allowed(name: str, place: Place, where: str) -> Key:
    key = BY_NAME.get(name)
    if key is None:
        raise unknown_key(name, where)
    if place.owner == "project" and not key.project:
        raise ConfigError(
            f"{where}: {name} may not be set by a project, only in your own file or by "
            f"{key.variable}",
            hint="move the line to the file that this names: trainctl config path",
        )
    return key


def _in_environment(environ: Mapping[str, str], problems: list[ConfigError]) -> Iterator[Given]:
    inside = "TRAINCTL_RUN_DIR" in environ  # a trainer's own variables are no settings
    for key in KEYS:
        text = environ.get(key.variable)
        if text and not (inside and key.variable in OTHER_VARIABLES):
            where = f"environment variable {key.variable}"
            try:
                yield Given(key, key.kind.from_text(text), where)
            except ValueError as error:  # an unclosed quote
                problem = f"{where}: {error}"
                problems.append(ConfigError(problem, hint=f"unset {key.variable}, or quote it"))


def unread_variables(environ: Mapping[str, str]) -> list[ConfigError]:
    """TRAINCTL_ variables that nobody reads: for warnings, a later version may know them."""
    known = {key.variable for key in KEYS} | OTHER_VARIABLES
    unread = [name for name in environ if name.startswith("TRAINCTL_") and name not in known]
    return [
        ConfigError(f"environment variable {name} is not one of ours", hint=_meant(name, known))
        for name in sorted(unread)
    ]


def unknown_key(name: str, where: str) -> ConfigError:
    short = name if len(name) <= 60 else f"{name[:57]}..."
    return ConfigError(f"{where}: unknown key {short!r}", hint=_meant(name, BY_NAME))


def _meant(name: str, known: Mapping[str, object] | set[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name[:60], list(known), 1, 0.6)
    everything = "see them all: trainctl config show"
    return f"did you mean {close[0]}? Or {everything}" if close else everything


def _known(key: str) -> Key:
    if key not in BY_NAME:
        raise unknown_key(key, "settings")
    return BY_NAME[key]


def _apply(
    values: dict[str, object],
    origins: dict[str, str],
    found: Given,
    folder: str,
    environ: Mapping[str, str],
) -> None:
    key = found.key
    value = key.read(found.value, found.origin)
    if key.path:
        value = _resolved(found, str(value), folder, environ)
    if key.adds and key.name in origins:
        value = (*cast("tuple[str, ...]", values[key.name]), *cast("tuple[str, ...]", value))
        origins[key.name] = f"{origins[key.name]} and {found.origin}"
    else:
        origins[key.name] = found.origin
    values[key.name] = value


def _resolved(found: Given, path: str, folder: str, environ: Mapping[str, str]) -> str:
    key = found.key
    if key.name == "store" and "://" in path:
        return path
    path = expanded(path, environ)
    if key.name == "python" and "/" not in path:
        return path  # a name on PATH
    if key.name == "home" and not os.path.isabs(path):
        raise ConfigError(
            f"{found.origin}: home must be an absolute path, not {path[:60]!r}: "
            "every folder would have runs of its own",
            hint=f"write for example: home = {key.example}",
        )
    return os.path.normpath(os.path.join(folder, path))


class _Noting:
    """Collect a ConfigError and go on, so that all problems are told at once."""

    def __init__(self, problems: list[ConfigError]) -> None:
        self.problems = problems

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, ConfigError):
            self.problems.append(error)
            return True
        return False
