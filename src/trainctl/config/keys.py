"""Every setting, as data: `config show`, `config validate`, `init` and the manual read this table.

A key's environment variable is TRAINCTL_ and its name in capitals.
"""

from __future__ import annotations

from typing import NamedTuple

from trainctl.config.durations import spoken
from trainctl.config.kinds import (
    ABOVE_ZERO,
    BEST,
    COUNT,
    DURATION,
    ENDPOINT,
    NUMBER,
    PATIENCE,
    PROCESSES,
    PUSH,
    RESUME_ARGUMENTS,
    RUN_NAME,
    SIZE,
    STORE,
    TEXT,
    VARIABLES,
    WORDS,
    Kind,
)
from trainctl.config.shown import described, quoted, toml
from trainctl.config.sizes import spoken_size
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
    Key(
        "store",
        STORE,
        None,
        "Where checkpoints are sent as they are made: s3://BUCKET/PREFIX, or a folder.",
        '"s3://my-bucket/checkpoints"',
        project=False,
        path=True,
    ),
    Key(
        "store_endpoint",
        ENDPOINT,
        None,
        "The URL of an S3-compatible service. Not set: AWS.",
        '"https://s3.example.com"',
        project=False,
    ),
    Key("store_region", TEXT, None, "The store's region.", '"eu-central-1"', project=False),
    Key(
        "store_profile",
        TEXT,
        None,
        "The profile of ~/.aws whose credentials open the store.",
        '"training"',
        project=False,
    ),
    Key("push", PUSH, "all", "Which checkpoints are sent to the store.", '"every 3"'),
    Key(
        "keep_last",
        ABOVE_ZERO,
        None,
        "Remove checkpoints by itself, all but the last so many. No rule set: all are kept.",
        "5",
    ),
    Key(
        "keep_best",
        BEST,
        None,
        "Keep so many with the best value of a metric.",
        '"2:val_loss:min"',
    ),
    Key("keep_every", ABOVE_ZERO, None, "Keep those of every so many steps.", "10000"),
    Key(
        "max_size",
        SIZE,
        None,
        "Remove the oldest until a run's checkpoints take no more than this.",
        '"500GB"',
    ),
    Key(
        "kept_limit",
        SIZE,
        20_000_000_000,
        "Disk for copies of a checkpoint that the script overwrites and no store has.",
        '"50GB"',
    ),
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


def text_of(key: Key, value: object) -> str:
    """What `config show` prints: durations as people type them, nothing as "not set"."""
    if value is None:
        return '"off"' if key.kind is PATIENCE else "not set"
    if key.kind in {DURATION, PATIENCE} and isinstance(value, float):
        return quoted(spoken(value))
    if key.kind is SIZE and isinstance(value, int):
        return quoted(spoken_size(value))
    return toml(value)
