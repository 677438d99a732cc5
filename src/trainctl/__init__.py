"""trainctl runs ML training anywhere: one record, one log, one list of checkpoints.

As a library: `trainctl.run("train.py", "--epochs", "5").wait()`, `trainctl.runs()`.
"""

from __future__ import annotations

from trainctl.version import __version__

TYPE_CHECKING = False  # type checkers know the name; importing typing would slow every start
if TYPE_CHECKING:
    from trainctl.api import (
        Checkpoint,
        Run,
        get,
        list_checkpoints,
        run,
        runs,
        verify_checkpoint,
    )

__all__ = [
    "Checkpoint",
    "Run",
    "__version__",
    "get",
    "list_checkpoints",
    "run",
    "runs",
    "verify_checkpoint",
]


def __getattr__(name: str) -> object:
    """Import the library only where it is used: the command line must start fast."""
    if name in __all__:
        from trainctl import api

        return getattr(api, name)
    raise AttributeError(f"module 'trainctl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
