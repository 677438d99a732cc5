"""The trainer's environment: the user's own, what was asked for, what makes attempts one curve."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from trainctl.errors import CredentialsError, NotFoundError, UsageError
from trainctl.kit.process import RUN_MARK, SUPERVISOR_MARK

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|PRIVATE", re.IGNORECASE)
_OURS = (
    "TRAINCTL_RUN",
    RUN_MARK,
    "TRAINCTL_ATTEMPT",
    "TRAINCTL_METRICS",
    "TRAINCTL_CHECKPOINT_DIR",
    "TRAINCTL_DEVICE",
    "TRAINCTL_RESUME_FROM",
    SUPERVISOR_MARK,
)


def looks_secret(name: str) -> bool:
    """Whether a variable's name says that its value must not be recorded."""
    return _SECRET.search(name) is not None


def split(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """`--env` words as values to record, and names to take from the environment at each attempt.

    A value under a name that looks secret is not recorded: its name is, as with `--env NAME`.
    """
    values: dict[str, str] = {}
    names: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"--env {word.partition('=')[0]!r} is not a name of a variable",
                hint="--env NAME takes the value from here, --env NAME=VALUE sets it",
            )
        if equals and not looks_secret(name):
            values[name] = value
        else:
            names.append(name)
    return values, names


def given(words: Sequence[str]) -> dict[str, str]:
    """The values that stand in `--env NAME=VALUE`, the secret ones too; for this attempt only."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def read_env_file(path: str) -> dict[str, str]:
    """NAME=VALUE lines, with `#` comments, `export` and quotes as shells and docker have them."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise NotFoundError(
            f"the env file {path} cannot be read: {error.strerror}", hint=f"ls -l {path}"
        ) from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise UsageError(f"{path}:{number}: not a NAME=VALUE line", hint="or begin it with #")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def build(
    run: str,
    environ: Mapping[str, str],
    values: Mapping[str, str],
    names: Sequence[str],
    env_file: str | None,
) -> dict[str, str]:
    """What the trainer starts with, all but what its attempt adds.

    values: of NAME=VALUE, recorded and of this command line. names: must be in `environ` or
    `values`. Output comes as it is written, since a log that fills 8 KB late hides what happens.
    """
    built = {name: value for name, value in environ.items() if name not in _OURS}
    if env_file is not None:
        built.update(read_env_file(env_file))
    built.update(values)
    missing = [name for name in names if name not in built]
    if missing:
        raise CredentialsError(
            f"{', '.join(missing)}: asked for by --env, but not set here; nothing was started",
            hint=f"export {missing[0]}=...",
        )
    built.setdefault("PYTHONUNBUFFERED", "1")
    if "WANDB_RUN_ID" not in built:
        built["WANDB_RUN_ID"] = run
        built.setdefault("WANDB_RESUME", "allow")
    return built
