"""A script that shows no way to go on: it would begin anew, over what it has saved."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from trainctl.checkpoints.scripts.resume import ResumeHint
from trainctl.checkpoints.scripts.script import VARIABLE, Script
from trainctl.errors import RefusedError
from trainctl.kit import aside
from trainctl.kit.choosing import Choice

_ASKED = f'os.environ.get("{VARIABLE}")'
_LINES = (  # by what a script imports: how its framework is told
    (
        {"lightning", "pytorch_lightning"},
        f"trainer.fit(..., ckpt_path={_ASKED})",
    ),
    (
        {"transformers", "trl", "sentence_transformers", "setfit", "unsloth"},
        f"trainer.train(resume_from_checkpoint={_ASKED})",
    ),
)
_ELSE = f'torch.load(os.environ["{VARIABLE}"]) where {VARIABLE} is set'


def settings(script: Script, hint: ResumeHint) -> dict[str, Any]:
    """How a job records what its script is told, and what it looks for by itself."""
    return {
        "args": list(hint.args),
        "finds": script.finds,
        "names": [] if hint.args else sorted(script.names),
        "untold": not hint.args and not script.names and shows_no_way(script),
    }


def shows_no_way(script: Script) -> bool:
    """Whether nothing in its source, which was read, may make it go on from a checkpoint.

    Beyond options that are known, and names of checkpoints.
    """
    return script.is_read and not (script.finds or script.is_told or script.resumed)


def line_for(script: Script) -> str:
    """What to write into it so that it goes on."""
    fitting = (line for packages, line in _LINES if packages & script.imports)
    return next(fitting, _ELSE)


def refuse(
    run: str, script: Script, resume: Mapping[str, Any], choice: Choice, arguments: Sequence[str]
) -> None:
    """Raise RefusedError where it would begin anew although there is this to go on from.

    arguments: those that are added; one that names the checkpoint tells it enough.
    """
    path = choice.path
    if path is None or resume["args"] or not shows_no_way(script):
        return
    known = [path, *(one.path for one in choice.passed)]
    name = os.path.basename(path)
    if any(aside.looks_for(resume, one) for one in known) or any(name in a for a in arguments):
        return
    named = shlex.quote(run)
    raise RefusedError(
        f"{script.name} shows no way to go on from {name}: "
        "it would begin anew and may overwrite it",
        hint=f"write into {script.name}: {line_for(script)}; or set resume_args in trainctl.toml; "
        f"start it all the same: trainctl resume --force {named}; "
        f"begin anew as a run of its own: trainctl rerun {named}",
    )


def warned(script: str | None, resume: Mapping[str, Any], retries: int) -> list[str]:
    """Said at the start of what would be started again by itself."""
    if not retries or resume["mode"] == "never" or not resume.get("untold"):
        return []
    name = os.path.basename(script or "the script")
    danger = "a retry begins it anew, and may overwrite what it has saved"
    return [f"{name} shows no way to go on from a checkpoint: {danger}; let it read {VARIABLE}"]
