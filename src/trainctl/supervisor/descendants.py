"""What a trainer leaves behind: found through the kernel's lists, ended until none is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Callable, List, Set

from trainctl.kit import process

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
POLITE_SECONDS = 5.0
FORCE_SECONDS = 30.0


def adopt_orphans() -> bool:
    """Make every orphaned descendant our child, whatever session it has made for itself."""
    if sys.platform != "linux":
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def end_all(run: str, attempt: int) -> None:
    """End all that is left of an attempt: politely, then by force; another run's processes stay.

    What cannot even be killed (a process in the kernel's hands) is given up after a while.
    """
    if not _left(run, attempt):
        return
    _until_none(run, attempt, signal.SIGTERM, POLITE_SECONDS, repeat=False)
    _until_none(run, attempt, signal.SIGKILL, FORCE_SECONDS, repeat=True)


def _until_none(run: str, attempt: int, number: int, seconds: float, *, repeat: bool) -> None:
    told: Set[int] = set()
    give_up = time.monotonic() + seconds
    pause = 0.005
    while time.monotonic() < give_up:
        left = _left(run, attempt)
        if not left:
            return
        for pid in left:
            if repeat or pid not in told:
                process.send(pid, number)
                process.send(pid, signal.SIGCONT)
                told.add(pid)
        time.sleep(pause)
        pause = min(0.1, pause * 2)


def _left(run: str, attempt: int) -> List[int]:
    """Our descendants, whatever their environment; and whatever carries the mark."""
    below: List[int] = []
    if _reap():
        # The kernel's list of children may skip some while others end, so that none is none
        # only when it is so twice.
        below = tree(os.getpid(), is_foreign(run)) or tree(os.getpid(), is_foreign(run))
    found = {*below, *process.marked(run, attempt)}
    return [pid for pid in found if process.identity(pid)]


def is_foreign(run: str) -> Callable[[int], bool]:
    """A run that our trainer started, with its supervisor, is not ours to end."""

    def foreign(pid: int) -> bool:
        environment = process.environment(pid)
        owner = environment.get(process.SUPERVISOR_MARK) or environment.get(process.RUN_MARK)
        return owner is not None and owner != run

    return foreign


def tree(root: int, skip: Callable[[int], bool] = lambda _: False) -> List[int]:
    """All descendants of a process, without those that `skip` names and what is below them."""
    found: List[int] = []
    waiting = process.children(root)
    while waiting:
        pid = waiting.pop()
        if skip(pid):
            continue
        found.append(pid)
        waiting.extend(process.children(pid))
    return found


def _reap() -> bool:
    """Take leave of children that have ended; whether there are any others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
