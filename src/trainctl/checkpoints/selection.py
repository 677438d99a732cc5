"""Which checkpoints `--from` may mean: those that are the best, of a step, or at a path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from trainctl.errors import NotFoundError
from trainctl.kit import candidates
from trainctl.kit.candidates import Candidate

_SHOWN = 8  # steps that a message lists


def fitting(found: Sequence[Candidate], wanted: str, cwd: str) -> list[Candidate]:
    """The checkpoints that are meant, the one to prefer first; never none.

    found: those of the run, newest first. wanted: "best", a step, or a path, which may be relative
    to `cwd`, lie outside the run, or be just the name of one that was found.
    Raises NotFoundError, whose hint lists what there is.
    """
    if wanted == "best":
        meant = [one for one in found if one.best]
    elif wanted.isascii() and wanted.isdigit():
        meant = [one for one in found if one.step == int(wanted[:18])]
    else:
        meant = []
    meant = meant or _by_path(found, wanted, cwd)
    if not meant:
        raise _not_found(found, wanted)
    return meant


def _by_path(found: Sequence[Candidate], wanted: str, cwd: str) -> list[Candidate]:
    path = os.path.normpath(os.path.join(cwd, os.path.expanduser(wanted)))
    if wanted != "best" and os.path.lexists(path):
        there = candidates.at(path)
        return [one for one in found if one.path == path] or ([there] if there else [])
    return [one for one in found if os.path.basename(one.path) == wanted]


def none_whole() -> NotFoundError:
    """What `--from last` says where nothing holds."""
    return NotFoundError(
        "there is no complete checkpoint to resume from",
        hint="say where they are with --checkpoint-dir, or give a path: --from PATH",
    )


def _not_found(found: Sequence[Candidate], wanted: str) -> NotFoundError:
    there = _listed(found)
    if wanted == "best":
        return NotFoundError(
            "no checkpoint here is named the best",
            hint=f"have the script save one as best.pt or checkpoint-best, or take {there}",
        )
    if wanted.isdigit():
        return NotFoundError(f"there is no checkpoint of step {wanted}", hint=f"take {there}")
    names = [os.path.basename(one.path) for one in found]
    close = difflib.get_close_matches(os.path.basename(wanted), names, n=1)
    return NotFoundError(
        f"there is no checkpoint {wanted}",
        hint=f"did you mean {close[0]}?" if close else f"take {there}",
    )


def _listed(found: Sequence[Candidate]) -> str:
    """What could be given instead, as words for a hint."""
    steps = sorted({one.step for one in found if one.step is not None})
    if not found:
        return "a path: --from PATH"
    if not steps:
        return f"--from last, which is {os.path.basename(found[0].path)}"
    shown = [str(step) for step in steps]
    if len(steps) > _SHOWN:
        shown = [*shown[: _SHOWN // 2], "...", *shown[-_SHOWN // 2 :]]
    return f"--from last, or one of the steps {', '.join(shown)}"
