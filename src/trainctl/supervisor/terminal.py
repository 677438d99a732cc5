"""A pseudo-terminal for scripts that show their progress to a person only.

It costs what the log file gives: all output passes through the waiter, and ends with it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
import tty
from typing import Tuple

from trainctl.kit import process

_ROWS, _COLUMNS = 40, 120
_RETRY_SECONDS = 0.5


def open_pair() -> Tuple[int, str]:
    """The master side, and the name of the side that the trainer opens."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    name = os.ttyname(slave)
    os.close(slave)
    os.set_inheritable(master, False)
    return master, name


def pump(master: int, log: str, trainer: int) -> None:
    """Copy what the terminal shows to the log until the trainer has ended and all is copied."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        while True:
            ended = process.identity(trainer) is None
            if select.select([master], [], [], 0 if ended else 0.2)[0]:
                if not _copy(master, descriptor, trainer):
                    return
            elif ended:
                return
    finally:
        os.close(descriptor)
        os.close(master)


def _copy(master: int, descriptor: int, trainer: int) -> bool:
    try:
        data = os.read(master, 65536)
    except OSError:  # EIO: nobody has the other side open any more
        return False
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError:  # a full disk: the trainer waits with us until there is room, or it ends
            if process.identity(trainer) is None:
                return False
            time.sleep(_RETRY_SECONDS)
    return bool(data)
