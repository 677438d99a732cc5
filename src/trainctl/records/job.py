"""What to run: frozen data, written once into the run folder, without a secret value."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from trainctl.errors import TrainctlError
from trainctl.kit import files
from trainctl.kit.names import RunFolder

SCHEMA = 1


class Job(NamedTuple):
    """Seconds, bytes and absolute paths throughout. `command` has no resume arguments yet."""

    name: str
    created: float
    typed: list[str]
    command: list[str]
    arguments_at: int  # where in `command` the script's own arguments begin
    script: int | None  # where in `command` the Python script stands, if there is one
    source: str | None  # the file that holds its source, where it is known
    kind: str  # script | module | program
    cwd: str
    project: str
    interpreter: dict[str, str] | None  # path, why
    env: dict[str, str]
    env_names: list[str]
    env_file: str | None
    gpus: dict[str, Any]  # count, candidates, ids (of --gpu-ids, else null)
    wait_seconds: float | None  # None: for ever
    after: str | None
    nproc: int | str | None
    max_seconds: float | None
    retries: int
    grace_seconds: float
    stall_seconds: float | None
    disk_warn_bytes: float | None
    tty: bool
    tags: list[str]
    resume: dict[str, Any]  # mode (auto | never), args, why
    checkpoint_dirs: list[str]
    asked: dict[str, Any]  # python and checkpoint_dir as they were set, for a rerun
    platform: str
    host: dict[str, Any]
    trainctl: str
    rerun_of: str | None = None
    store: dict[str, str] | None = None  # url, endpoint, region, profile; no secret
    push: str = "all"  # all | best | every N | off
    retention: dict[str, Any] | None = None  # as kit.retention writes it
    kept_bytes: int = 20_000_000_000
    schema: int = SCHEMA

    def to_json(self) -> dict[str, Any]:
        return self._asdict()


def read(run: RunFolder) -> Job:
    """The job of a run. Raises TrainctlError where it is absent, damaged or too new."""
    value = files.read_json(run.job)
    if value is None:
        raise TrainctlError(f"{run.job} is missing or damaged", hint=f"trainctl delete {run.name}")
    return from_json(value, run)


def from_json(value: dict[str, Any], run: RunFolder) -> Job:
    if cast("int", value.get("schema", 0)) > SCHEMA:
        raise TrainctlError(
            f"{run.name} was made by trainctl {value.get('trainctl')}, which is newer than this",
            hint="install that version, or a newer one",
        )
    missing = [name for name in Job._fields if name not in {*value, *Job._field_defaults}]
    if missing:
        raise TrainctlError(
            f"{run.job} is damaged: it lacks {', '.join(missing[:3])}",
            hint=f"trainctl delete {run.name}",
        )
    return Job(**{name: value[name] for name in Job._fields if name in value})
