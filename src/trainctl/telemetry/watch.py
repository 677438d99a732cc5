"""Waiting for a log to grow without slowing the program that writes it.

A standing inotify watch makes every write(2) of the trainer queue an event (measured: up to 2.2
times slower). So the watch is one-shot: it fires once, then the file is polled until one interval
passes quietly, then it is armed again, and the caller reads once more, because the file may have
grown in between. A folder watched for new names alone costs its files' writers next to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from trainctl.clock import Clock
from trainctl.telemetry import inotify
from trainctl.telemetry.inotify import Inotify

POLL_SECONDS = 0.03  # where there is no inotify: 15 ms of latency in the median
QUIET_SECONDS = 0.01
HEARTBEAT_SECONDS = 0.25  # no notification is trusted for longer: NFS tells nothing of far writers

_LOG_CHANGES = (
    inotify.MODIFY | inotify.ATTRIB | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONESHOT
)
_NEW_NAMES = inotify.CREATE | inotify.MOVED_TO | inotify.ONLYDIR


class Waiter(Protocol):
    def wait(self, *, found: bool) -> None:
        """Return when reading again may be worth it. found: the last read brought something."""
        ...


class Poll:
    """Waits the same short time each time: right everywhere, and never quick."""

    def __init__(self, clock: Clock, seconds: float = POLL_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds

    def wait(self, *, found: bool) -> None:
        del found
        self._clock.sleep(self._seconds)


class Watch:
    """Waits until a log may have grown, another path may have appeared, or a heartbeat passed.

    logs: files to be read, which need not exist yet. also: paths whose appearance (create or
    rename) ends a wait early. Falls back to polling where inotify is missing or exhausted, and
    where a log was seen to grow without a notification. Use it as a context manager.
    """

    def __init__(
        self,
        logs: Sequence[str],
        clock: Clock,
        also: Sequence[str] = (),
        notifier: Callable[[], Inotify] = Inotify,
    ) -> None:
        self._poll = Poll(clock)
        self._unarmed = set(logs)
        self._armed: dict[int, set[str]] = {}
        self._folders = {os.path.dirname(path) or "." for path in also}
        self._standing: set[str] = set()
        self._overslept = False
        try:
            self._inotify: Inotify | None = notifier()
        except OSError:
            self._inotify = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def polls(self) -> bool:
        """Whether inotify does not serve here."""
        return self._inotify is None

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def wait(self, *, found: bool) -> None:
        if self._inotify is None:
            self._poll.wait(found=found)
        elif found and self._overslept and not self._collect(self._inotify, QUIET_SECONDS):
            self.close()  # the log grew and nobody told us
        elif not self._unarmed:
            patience = HEARTBEAT_SECONDS if self._standing >= self._folders else POLL_SECONDS
            self._overslept = not self._collect(self._inotify, patience)
        elif found:
            self._collect(self._inotify, QUIET_SECONDS)
        else:
            self._arm_all(self._inotify)

    def _collect(self, notifier: Inotify, seconds: float) -> bool:
        """Wait for notifications, and remember whose one-shot watch they have used up."""
        fired = notifier.wait(seconds)
        for watch in list(self._armed) if -1 in fired else fired:
            self._unarmed |= self._armed.pop(watch, set())
        if fired:
            self._overslept = False
        return bool(fired)

    def _arm_all(self, notifier: Inotify) -> None:
        try:
            for folder in self._folders - self._standing:
                if _try_to_watch(notifier, folder, _NEW_NAMES) is not None:
                    self._standing.add(folder)
            for log in list(self._unarmed):
                self._arm(notifier, log)
        except OSError:  # no watch is left (fs.inotify.max_user_watches), or not for us
            self.close()
            return
        if self._unarmed:  # not even the folder is there
            self._collect(notifier, POLL_SECONDS)

    def _arm(self, notifier: Inotify, log: str) -> None:
        watch = _try_to_watch(notifier, log, _LOG_CHANGES)
        if watch is None:
            folder = os.path.dirname(log) or "."
            once = 0 if folder in self._standing else inotify.ONESHOT
            watch = _try_to_watch(notifier, folder, _NEW_NAMES | once)
        if watch is not None:
            self._unarmed.discard(log)
            self._armed.setdefault(watch, set()).add(log)


def _try_to_watch(notifier: Inotify, path: str, mask: int) -> int | None:
    try:
        return notifier.add(path, mask)
    except (FileNotFoundError, NotADirectoryError):
        return None
