"""A real terminal, with a shell's manners: a session of its own, sizes, Ctrl-C, and its end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence

from tests.e2e.line import TRAINCTL, CommandLine, wait_until

CTRL_C = b"\x03"


class Terminal:
    """A command in a terminal. Its screen is all bytes that it has shown."""

    def __init__(
        self,
        line: CommandLine,
        words: Sequence[str],
        *,
        columns: int = 100,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(line.project)
                environment = {"TERM": "xterm-256color", **line.env, **(env or {})}
                os.execve(TRAINCTL[0], [*TRAINCTL, *words], environment)
            finally:
                os._exit(126)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen = b""

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def until(self, text: str) -> None:
        wait_until(lambda: self._read() is None or text.encode() in self.screen, f"{text!r}")
        assert text.encode() in self.screen, self.screen.decode(errors="replace")

    def _read(self) -> int | None:
        """Take what there is to see; None once the command has closed its side."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # EIO: nobody has the other side open
                return None
            if not data:
                return None
            self.screen += data
        return len(self.screen)

    def wait(self, seconds: float = 40) -> int:
        """The exit code of the command."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._read()
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        raise AssertionError(f"it still runs:\n{self.screen.decode(errors='replace')}")

    def close(self) -> None:
        """Shut the window: the command gets SIGHUP."""
        os.close(self._master)
