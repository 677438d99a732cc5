"""Where a run's checkpoints will appear: what was asked, what the script says, what is usual."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from trainctl.checkpoints.scripts.options import Option
from trainctl.checkpoints.scripts.script import Script, values_given
from trainctl.kit.checkpoints import SUFFIXES

USUAL = ("checkpoints", "out", "outputs", "runs", "lightning_logs")
VARIABLE = "TRAINCTL_CHECKPOINT_DIR"
_NAMES = (  # the most telling first
    "checkpoint_dir",
    "checkpoints_dir",
    "checkpoint_folder",
    "ckpt_dir",
    "save_dir",
    "save_folder",
    "dirpath",
    "output_dir",
    "output_folder",
    "outdir",
    "out_dir",
    "workdir",
    "work_dir",
    "model_dir",
    "default_root_dir",
    "save_path",
    "save",
    "output",
    "out",
)
_LOGS = ("logdir", "log_dir")  # watched, but no place to send a script's checkpoints to


class Folders(NamedTuple):
    """all: absolute folders to watch. first: the one that becomes TRAINCTL_CHECKPOINT_DIR."""

    all: tuple[str, ...]
    first: str
    why: str


def checkpoint_folders(
    script: Script, args: Sequence[str], cwd: str, configured: str | None, run_default: str
) -> Folders:
    """The folders to look for checkpoints in; relative ones are resolved against `cwd`.

    configured: `--checkpoint-dir` or the configuration. run_default: the run folder's own,
    which is first where nobody names another, and for a script that reads
    TRAINCTL_CHECKPOINT_DIR: what that script falls back to is for the days without trainctl.
    """
    given = values_given(script.options, args)
    told = [
        (option, _folder(str(given.get(option.dest, option.default)), cwd))
        for option in _output_options(script)
        if given.get(option.dest, option.default) and isinstance(option.default, str | None)
    ]
    if configured is not None:
        first, why = _absolute(configured, cwd), "as configured"
    else:
        first, why = _first(script, told, given.keys(), run_default)
    usual = [os.path.join(cwd, name) for name in USUAL]
    return Folders(
        all=tuple(dict.fromkeys([first, *(folder for _, folder in told), run_default, *usual])),
        first=first,
        why=why,
    )


def _first(
    script: Script, told: Sequence[tuple[Option, str]], given: Iterable[str], run_default: str
) -> tuple[str, str]:
    fitting = [pair for pair in told if pair[0].dest not in _LOGS]
    for option, folder in fitting:
        if option.dest in given:
            return folder, f"{_called(option)} as given"
    if VARIABLE in script.variables:
        return run_default, f"{script.name} reads {VARIABLE}"
    for option, folder in fitting:
        return folder, f"{_called(option)} as {script.name} has it"
    return run_default, "the run's own folder, as nothing names another"


def _output_options(script: Script) -> Iterator[Option]:
    """The options that name an output folder, the most telling first."""
    for name in (*_NAMES, *_LOGS):
        for option in script.options:
            if option.takes_value and name in _spellings(option):
                yield option


def _spellings(option: Option) -> set[str]:
    flags = {flag.lstrip("-").replace("-", "_").lower() for flag in option.flags}
    return {flag.rpartition(".")[2] for flag in flags} | {option.dest}


def _folder(value: str, cwd: str) -> str:
    path = _absolute(value, cwd)
    return os.path.dirname(path) if path.endswith(SUFFIXES) else path


def _absolute(path: str, cwd: str) -> str:
    return os.path.normpath(os.path.join(cwd, os.path.expanduser(path)))


def _called(option: Option) -> str:
    return option.flags[-1] if option.flags else option.dest
