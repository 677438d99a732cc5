"""Which checkpoint `--from` means: `last`, `best`, a step, or a path."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence

from trainctl.errors import NotFoundError
from trainctl.kit.checkpoints import Found

_BEST = re.compile(r"(?:^|[^a-z])best(?:[^a-z]|$)", re.IGNORECASE)
_SHOWN = 8  # steps that a message lists


def choose(found: Sequence[Found], wanted: str, cwd: str) -> str:
    """The path of the checkpoint that is wanted.

    found: the complete ones, oldest first. wanted: "last", "best", a step, or a path, which may
    be relative to `cwd`, lie outside the run, or be just the name of one that was found.
    Raises NotFoundError, whose hint lists what there is.
    """
    if wanted == "last":
        fitting = list(found)
    elif wanted == "best":
        fitting = [item for item in found if _BEST.search(os.path.basename(item.path))]
    elif wanted.isascii() and wanted.isdigit():
        fitting = [item for item in found if item.step == int(wanted[:18])]
    else:
        fitting = []
    if fitting:
        return fitting[-1].path
    return _by_path(found, wanted, cwd) or _refuse(found, wanted)


def _by_path(found: Sequence[Found], wanted: str, cwd: str) -> str | None:
    path = os.path.normpath(os.path.join(cwd, os.path.expanduser(wanted)))
    if os.path.lexists(path) and wanted not in {"last", "best"}:
        return path
    named = [item.path for item in found if os.path.basename(item.path) == wanted]
    return named[-1] if named else None


def _refuse(found: Sequence[Found], wanted: str) -> str:
    there = _listed(found)
    if wanted == "last":
        raise NotFoundError(
            "there is no complete checkpoint to resume from",
            hint="say where they are with --checkpoint-dir, or give a path: --from PATH",
        )
    if wanted == "best":
        raise NotFoundError(
            "no checkpoint here is named the best",
            hint=f"have the script save one as best.pt or checkpoint-best, or take {there}",
        )
    if wanted.isdigit():
        raise NotFoundError(f"there is no checkpoint of step {wanted}", hint=f"take {there}")
    names = [os.path.basename(item.path) for item in found]
    close = difflib.get_close_matches(os.path.basename(wanted), names, n=1)
    raise NotFoundError(
        f"there is no checkpoint {wanted}",
        hint=f"did you mean {close[0]}?" if close else f"take {there}",
    )


def _listed(found: Sequence[Found]) -> str:
    """What could be given instead, as words for a hint."""
    steps = sorted({item.step for item in found if item.step is not None})
    if not found:
        return "a path: --from PATH"
    if not steps:
        return f"--from last, which is {os.path.basename(found[-1].path)}"
    shown = [str(step) for step in steps]
    if len(steps) > _SHOWN:
        shown = [*shown[: _SHOWN // 2], "...", *shown[-_SHOWN // 2 :]]
    return f"--from last, or one of the steps {', '.join(shown)}"
