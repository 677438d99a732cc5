"""Ask again, with growing random pauses, for a bounded time; what is refused is not asked again.

Source of the pauses: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
import time
from typing import Callable, NamedTuple, TypeVar

from trainctl.kit.stores.protocol import UnreachableError

T = TypeVar("T")


class PassingError(Exception):
    """What failed may work in a moment.

    after: seconds that the service asked us to wait. tries: how often is enough, if less.
    """

    def __init__(self, message: str, after: float = 0, tries: int = 1000) -> None:
        super().__init__(message)
        self.after = after
        self.tries = tries


class Patience(NamedTuple):
    """How often, and how long in all, to ask again."""

    tries: int = 10
    seconds: float = 120.0  # of pauses
    longest: float = 20.0  # pause, unless the service asks for more
    pause: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random


def again(patience: Patience, what: str, work: Callable[[int], T]) -> T:
    """What `work` returns; it is told how often it was tried before.

    Raises UnreachableError once patience is at its end, and what it raises besides PassingError.
    """
    waited = 0.0
    for number in range(patience.tries):
        try:
            return work(number)
        except PassingError as error:
            pause = max(error.after, patience.chance() * min(patience.longest, 0.2 * 2**number))
            waited += pause
            most = min(patience.tries, error.tries)
            if number + 1 >= most or waited > patience.seconds:
                times = "once" if number == 0 else f"{number + 1} times"
                raise UnreachableError(f"{what}: {error}; tried {times}") from error
        patience.pause(pause)
    raise UnreachableError(f"{what}: not tried")
