"""What controllers wrote into run.jsonl, folded: asked for, seen, judged. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A start that was asked of the platform. by: the asker's process, as kit.process has it."""

    at: float
    by: Mapping[str, Any] | None
    automatic: bool


class Contact(NamedTuple):
    """What earlier looks at an attempt have shown. Times in seconds since the epoch."""

    running_since: float | None = None
    silent_since: float | None = None  # asked, and nobody answered
    gone_since: float | None = None  # asked, and it was not there, at every answer since


class Judged(NamedTuple):
    """How an attempt ended, said by a controller because its host could not."""

    at: float
    reason: str
    evidence: str = ""
    next: int | None = None
    delay_seconds: float = 0.0
    why: str = ""
    started: float | None = None
    ended: float | None = None


class StopAsked(NamedTuple):
    """A person's wish, which holds for every attempt until the run is resumed."""

    at: float
    grace_seconds: float


class Asked(NamedTuple):
    """All of it, by the attempt's number."""

    platform: str
    requested: dict[int, Request]  # the newest of each attempt
    contacts: dict[int, Contact]
    judged: dict[int, Judged]
    stop: StopAsked | None
    stop_sent: set[int]

    @property
    def numbers(self) -> set[int]:
        """Attempts that were seen or judged."""
        return {*self.contacts, *self.judged}

    def wanted(self, there: Collection[int]) -> int | None:
        """The attempt that should be there beyond these, and is not yet; or None."""
        following = (judged.next for judged in self.judged.values() if judged.next is not None)
        newest = max((*self.requested, *following), default=0)
        return newest if newest > max(there, default=0) else None


def fold(records: Iterable[Mapping[str, Any]]) -> Asked:
    """What these records of run.jsonl, oldest first, say together."""
    asked = Asked("local", {}, {}, {}, None, set())
    for record in records:
        asked = _with(asked, record)
    return asked


def _with(asked: Asked, record: Mapping[str, Any]) -> Asked:
    number, at = int(record.get("attempt", 1)), float(record["at"])
    request = Request(at, record.get("by"), automatic=bool(record.get("automatic")))
    match record["event"]:
        case "submitted":
            asked.requested[number] = request
            return asked._replace(platform=str(record.get("platform", "local")))
        case "resumed":
            asked.requested[number] = request
            return asked._replace(stop=None)
        case "attempt_requested":
            asked.requested[number] = request
        case "contact":
            asked.contacts[number] = Contact(**_fields(Contact, record))
        case "judged":
            asked.judged[number] = Judged(**_fields(Judged, record))
        case "stop_requested":
            stop = StopAsked(at, float(record.get("grace_seconds", 0)))
            return asked._replace(stop=stop, stop_sent=set())
        case "stop_sent":
            asked.stop_sent.add(number)
        case _:
            pass
    return asked


def _fields(kind: type[Contact | Judged], record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in kind._fields if name in record}
