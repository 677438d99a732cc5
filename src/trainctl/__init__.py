"""trainctl runs ML training anywhere: one record, one log, one list of checkpoints.

As a library: `trainctl.run("train.py", "--epochs", "5").wait()`, `trainctl.runs()`.
"""

from __future__ import annotations

from trainctl.version import __version__

TYPE_CHECKING = False  # type checkers know the name; importing typing would slow every start
if TYPE_CHECKING:
    from trainctl.api import Run, get, run, runs

__all__ = ["Run", "__version__", "get", "run", "runs"]


def __getattr__(name: str) -> object:
    """Import the library only where it is used: the command line must start fast."""
    if name in __all__:
        from trainctl import api

        return getattr(api, name)
    raise AttributeError(f"module 'trainctl' has no attribute {name!r}")
