"""What an agent does for a run's checkpoints must not end the agent, whatever it raises.

Agents that died of it would be started again for ever, and the run would never be seen to end.
"""

from __future__ import annotations

import sys
import traceback
from typing import Callable, Set, TypeVar

_Result = TypeVar("_Result")
_told: Set[str] = set()


def guarded(do: Callable[[], _Result], otherwise: _Result) -> _Result:
    """What it returns; where it raises, `otherwise`, and that is told once in agent.log."""
    try:
        return do()
    except Exception as error:  # noqa: BLE001
        tell(error)
        return otherwise


def tell(error: Exception) -> None:
    """Once for each line of code that fails, however often it is come to."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{type(error).__name__} {[(one.filename, one.lineno) for one in frames[-1:]]}"
    if where not in _told:
        _told.add(where)
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
