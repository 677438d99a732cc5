"""Every setting, as data: `config show`, `config validate`, `init` and the manual read this table.

A key's environment variable is TRAINCTL_ and its name in capitals.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from trainctl.config.durations import spoken
from trainctl.config.kinds import (
    COUNT,
    DURATION,
    NUMBER,
    PATIENCE,
    PROCESSES,
    RESUME_ARGUMENTS,
    RUN_NAME,
    TEXT,
    VARIABLES,
    WORDS,
    Kind,
)
from trainctl.errors import ConfigError


class Key(NamedTuple):
    name: str
    kind: Kind
    default: object
    help: str
    example: str  # as TOML
    project: bool = True  # may a project's file set it? Otherwise only the user's own
    adds: bool = False  # values of all sources are joined; otherwise the last source wins
    path: bool = False  # relative to the project file's folder, elsewhere to where trainctl runs

    @property
    def variable(self) -> str:
        return f"TRAINCTL_{self.name.upper()}"

    def read(self, value: object, where: str) -> object:
        """The checked value; ConfigError names key, the given type and an example."""
        try:
            return self.kind.read(value)
        except ValueError as error:
            why = f" ({error})" if str(error) else ""
            raise ConfigError(
                f"{where}: {self.name} must be {self.kind.says}, not {described(value)}{why}",
                hint=f"write for example: {self.name} = {self.example}",
            ) from error


KEYS = (
    Key(
        "home",
        TEXT,
        "~/.trainctl",
        "Where runs are kept; on a local disk, not a network file system.",
        '"/data/trainctl"',
        project=False,
        path=True,
    ),
    Key(
        "python",
        TEXT,
        None,
        "The Python for scripts; a path or a name on PATH. Not set: found in the project.",
        '".venv/bin/python"',
        path=True,
    ),
    Key(
        "checkpoint_dir",
        TEXT,
        None,
        "Where the script writes its checkpoints. Not set: read from the script and its options.",
        '"out"',
        path=True,
    ),
    Key(
        "resume_args",
        RESUME_ARGUMENTS,
        None,
        "Arguments that make the script go on from a checkpoint. Not set: read from its source.",
        '["--resume", "{checkpoint}"]',
    ),
    Key("retries", COUNT, 0, "How often a crashed run is started again by itself.", "2"),
    Key("max_hours", NUMBER, None, "A run is stopped gracefully after so many hours.", "12"),
    Key(
        "grace",
        DURATION,
        30.0,
        "How long a script may take to save and leave after it was asked to stop.",
        '"2m"',
    ),
    Key("gpus", COUNT, 0, "How many GPU cards a run claims.", "1"),
    Key("nproc", PROCESSES, None, "Processes for torchrun; auto is one per GPU.", '"auto"'),
    Key(
        "env",
        VARIABLES,
        (),
        "Variables for the script: NAME is taken from here at each start. Added up.",
        '["HF_TOKEN", "OMP_NUM_THREADS=4"]',
        adds=True,
    ),
    Key(
        "env_file",
        TEXT,
        None,
        "A file of NAME=VALUE lines for the script, read at each start.",
        '".env"',
        path=True,
    ),
    Key("tags", WORDS, (), "Tags of every new run. Added up.", '["baseline"]', adds=True),
    Key(
        "stall_after",
        PATIENCE,
        1800.0,
        "No output and an idle machine for so long is reported as stalled.",
        '"30m"',
    ),
    Key(
        "disk_warn_gb",
        NUMBER,
        5.0,
        "A warning is given when the disk has less than this left.",
        "20",
    ),
    Key("name", RUN_NAME, None, "How run names begin. Not set: as the script does.", '"gpt"'),
)
BY_NAME = {key.name: key for key in KEYS}

# Set for a trainer, or read elsewhere: they are variables of ours, but no settings.
OTHER_VARIABLES = frozenset(
    (
        "TRAINCTL_ATTEMPT",
        "TRAINCTL_CHECKPOINT_DIR",
        "TRAINCTL_CONFIG",
        "TRAINCTL_DEBUG",
        "TRAINCTL_DEVICE",
        "TRAINCTL_METRICS",
        "TRAINCTL_RESUME_FROM",
        "TRAINCTL_RUN",
        "TRAINCTL_RUN_DIR",
        "TRAINCTL_SUPERVISES",
    )
)


def described(value: object) -> str:
    """The type a person would say, with the value where it is short."""
    return f"{_type_of(value)} {shown(value)}"


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "true/false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"


def shown(value: object) -> str:
    """A value as TOML would have it, cut when long."""
    if isinstance(value, int) and abs(value) >= 10**18:
        return "of many digits"  # turning it into text may be refused
    text = "" if isinstance(value, dict) else toml(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def toml(value: object) -> str:
    """A setting's value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        items = cast("list[object] | tuple[object, ...]", value)
        return "[" + ", ".join(toml(item) for item in items) + "]"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else f"{value}"
    return _quoted(str(value))


def text_of(key: Key, value: object) -> str:
    """What `config show` prints: durations as people type them, nothing as "not set"."""
    if value is None:
        return '"off"' if key.kind is PATIENCE else "not set"
    if key.kind in {DURATION, PATIENCE} and isinstance(value, float):
        return _quoted(spoken(value))
    return toml(value)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
