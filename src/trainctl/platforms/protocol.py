"""What a platform is to control. One conformance suite holds every implementation to this page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from trainctl.kit.launch import Launch
from trainctl.records.job import Job


class Traits(NamedTuple):
    """What a caller must plan by; never ask for a platform's name instead."""

    bills_by_time: bool
    queues: bool
    interrupts: bool
    survives_controller: bool
    retries_itself: bool  # starts the next attempt without a controller


class Offer(NamedTuple):
    """One way in which a platform could run a job."""

    platform: str
    what: str
    dollars_per_hour: float


class Attempt(NamedTuple):
    """One trainer to start; (run, number) is the token that never starts a second one."""

    run: str
    number: int
    launch: Launch


class Handle(NamedTuple):
    """How a platform names what it started: three strings, no secret.

    token: `RUN/NUMBER`, the same on every platform, as what is rented carries it too.
    """

    platform: str
    place: str
    token: str


class Phase(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"
    GONE = "gone"  # asked, and it is not there
    UNKNOWN = "unknown"  # could not ask: never the same as gone


class Observation(NamedTuple):
    """What was seen of one attempt, and when.

    reason: why it ended, once the host has judged it. started, ended: of its trainer, by the
    host's clock, where the platform knows; all in seconds since the epoch.
    """

    phase: Phase
    at: float
    watched: bool = True  # something on the host looks after it and will tell its end
    reason: str | None = None
    evidence: str = ""
    started: float | None = None
    ended: float | None = None


class Files(Protocol):
    """The run folder where it lies."""

    def names(self) -> list[str]:
        """Paths of all its files, relative to the run folder."""
        ...

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Bytes of one file from an offset. Raises NotFoundError where there is no such file."""
        ...


class Platform(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def traits(self) -> Traits: ...

    def offers(self, job: Job) -> Iterable[Offer]:
        """Ways to run this job, cheapest first; nothing is reserved. Empty: it cannot run here."""
        ...

    def handle(self, run: str, number: int) -> Handle:
        """The name that this attempt has here, started or not; asks nobody."""
        ...

    def submit(self, attempt: Attempt, offer: Offer) -> Handle:
        """Start the attempt. Asked again with the same (run, number), it starts no second trainer.

        Raises BusyError where an earlier trainer of the run may still live, ProviderError where
        nobody knows whether it started, and any other TrainctlError where it surely did not.
        """
        ...

    def observe(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """What each is doing, in one question; never raises. What nobody could ask is UNKNOWN."""
        ...

    def watch(self, handle: Handle) -> None:
        """See to it that something on the host looks after this run. Twice is once."""
        ...

    def stop(self, handle: Handle, grace: timedelta) -> None:
        """Ask for the end: politely, by force after the grace. Already gone is success.

        Returns once the request is safe; the end itself is observed. Raises ProviderError where
        nobody could be told.
        """
        ...

    def owned(self) -> Iterable[Handle]:
        """Every attempt here that carries our mark and has not ended."""
        ...

    def files(self, handle: Handle) -> Files: ...
