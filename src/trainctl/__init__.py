"""trainctl runs ML training anywhere: one record, one log, one list of checkpoints.

import trainctl
run = trainctl.run("train.py", "--epochs", "5")
run.wait()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainctl.api import Run, get, run, runs

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "get", "run", "runs"]


def __getattr__(name: str) -> object:
    """Import the library only where it is used: the command line must start fast."""
    if name in __all__:
        from trainctl import api

        return getattr(api, name)
    raise AttributeError(f"module 'trainctl' has no attribute {name!r}")
