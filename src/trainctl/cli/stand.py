"""Where a command stands: the current folder, and what it may use from there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from trainctl.errors import TrainctlError

if TYPE_CHECKING:
    from trainctl.control.wiring import Here


def here() -> Here:
    """Where this command stands, with its settings read and the state folder opened."""
    from trainctl.control.wiring import connect  # not for a help page

    return connect(folder(), dict(os.environ))


def folder() -> str:
    """The current folder; one that was deleted under us is named."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise TrainctlError("the current folder does not exist any more", hint="cd ~") from None


def near(path: str) -> str:
    """A path as one would type it here: relative below the current folder, else with `~`."""
    from trainctl.cli.output import home_short

    here = folder() + os.sep
    return path[len(here) :] if path.startswith(here) else home_short(path)
