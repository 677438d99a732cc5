"""trainctl runs ML training anywhere: one record, one log, one list of checkpoints.

As a library: `trainctl.run("train.py", "--epochs", "5").wait()`, `trainctl.runs()`.
"""

from __future__ import annotations

import sys
from types import ModuleType

from trainctl.version import __version__

TYPE_CHECKING = False  # type checkers know the name; importing typing would slow every start
if TYPE_CHECKING:
    from trainctl.api import Run, get, run, runs

__all__ = ["Run", "__version__", "get", "run", "runs"]


class _Library(ModuleType):
    """This module, whose `runs` is the verb also once the package of that name is imported.

    The package is reached as it is everywhere here: `from trainctl.runs import ...`.
    """

    @property
    def runs(self) -> object:
        return __getattr__("runs")

    @runs.setter
    def runs(self, package: object) -> None:
        """What an import of the package would set."""


sys.modules[__name__].__class__ = _Library


def __getattr__(name: str) -> object:
    """Import the library only where it is used: the command line must start fast."""
    if name in __all__:
        from trainctl import api

        return getattr(api, name)
    raise AttributeError(f"module 'trainctl' has no attribute {name!r}")
