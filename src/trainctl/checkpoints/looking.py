"""What a list shows of one checkpoint: found out once, then believed while its files stay."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from typing import NamedTuple, Self

from trainctl.checkpoints.cache import Cache, Row
from trainctl.checkpoints.catalogue import Mark
from trainctl.kit import completeness, contents
from trainctl.kit.checkpoints import step_of
from trainctl.kit.names import Home

VERIFIED, CHANGED, UNVERIFIED = "yes", "changed", "no"
_ROWS = 20_000  # of one folder; then it is begun anew, without those that are gone
_METRICS = 32  # of one checkpoint; more are not kept


class Facts(NamedTuple):
    """What only reading it tells; the fields are JSON. incomplete: why; "" when it is whole."""

    format: str
    framework: str
    step: int | None
    epoch: float | None
    loss: float | None
    metrics: dict[str, float]
    best: list[str | float] | None
    incomplete: str


class Look(NamedTuple):
    """One checkpoint. size in bytes, mtime in seconds since the epoch: of its newest file.

    verified: whether a manifest stands for it; "changed" when it was written to since.
    """

    path: str
    facts: Facts
    size: int
    mtime: float
    files: int
    verified: str
    pinned: bool


class _Known(NamedTuple):
    """A row of the cache. seen: how its files were; manifest: how that file was."""

    seen: list[int]
    key: str
    manifest: list[int] | None
    verified: str
    facts: Facts

    @classmethod
    def of(cls, row: Row | None) -> Self | None:
        if row is None:
            return None
        try:
            seen, key, manifest, verified, facts = row
            return cls(seen, key, manifest, verified, Facts(*facts))
        except (TypeError, ValueError):
            return None


class Looker:
    """Looks at checkpoints of this state folder; remembers what it saw of each folder."""

    def __init__(self, home: Home, cache: Cache, now: float) -> None:
        self._home = home
        self._cache = cache
        self._now = now
        self._rows: dict[Mark, dict[str, Row]] = {}
        self._news: dict[Mark, dict[str, Row]] = {}
        self._has_state = os.path.isdir(home.manifests) or os.path.isdir(home.pins)

    def look(self, path: str, folder: Mark) -> Look:
        """folder: the mark of the one that it lies in, by which rows are kept.

        Raises OSError where it is gone; what cannot be read is told as incomplete.
        """
        if folder not in self._rows:
            self._rows[folder] = self._cache.rows(folder)
        name = os.path.basename(path)
        try:
            seen = contents.stats(path)
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            return _unreadable(path, error)
        known = _Known.of(self._rows[folder].get(name))
        now = self._know(path, seen, known)
        newest = max((one.st_mtime_ns for one in seen.values()), default=0)
        is_settled = not self._cache.is_fresh(max(now.seen[2], newest))
        if now != known and is_settled and not now.facts.incomplete:  # its lack may lie beside it
            self._news.setdefault(folder, {})[name] = [*now]
        size = sum(one.st_size for one in seen.values())
        pin = os.path.join(self._home.pins, f"{now.key}.json")
        pinned = self._has_state and os.path.lexists(pin)
        facts = now.facts
        if now.verified == VERIFIED and facts.incomplete == completeness.UNSETTLED:
            facts = facts._replace(incomplete="")
        return Look(path, facts, size, newest / 1e9, len(seen), now.verified, pinned)

    def _know(self, path: str, seen: Mapping[str, os.stat_result], known: _Known | None) -> _Known:
        """What is known of it by now; of what was known before, all that still holds."""
        mark = _mark(seen)
        holds = known if known and known.seen == mark else None
        facts = holds.facts if holds else _read(path, seen, self._now)
        key = known.key if known else ""
        if self._has_state and not key:
            key = contents.key_of(path)
        filed = _filed(self._home, key)
        if holds and holds.manifest == filed:
            return _Known(mark, key, filed, holds.verified, facts)
        return _Known(mark, key, filed, _verified(self._home, path, filed), facts)

    def keep(self) -> None:
        """Leave what was found out to the next command."""
        for folder, news in self._news.items():
            before = self._rows[folder] if len(self._rows[folder]) < _ROWS else {}
            self._cache.keep_rows(folder, {**before, **news})
        self._news.clear()


def leads_nowhere(path: str) -> Look:
    """Of a link to what is gone."""
    return _lacking(path, "it is a link that leads nowhere", os.lstat(path).st_mtime)


def _unreadable(path: str, error: OSError) -> Look:
    why = f"it {error.strerror}" if error.errno == 0 else f"it cannot be read: {error.strerror}"
    return _lacking(path, why, 0.0)


def _lacking(path: str, why: str, mtime: float) -> Look:
    facts = Facts("", "", step_of(os.path.basename(path)), None, None, {}, None, why)
    return Look(path, facts, 0, mtime, 0, UNVERIFIED, pinned=False)


def _mark(seen: Mapping[str, os.stat_result]) -> list[int]:
    """Equal only while no file of it was written, replaced, added or removed."""
    each = [
        (name, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        for name, s in seen.items()
    ]
    text = repr(each).encode()
    newest = max((one[5] for one in each), default=0)
    return [len(each), sum(one[3] for one in each), newest, zlib.crc32(text), zlib.adler32(text)]


def _filed(home: Home, key: str) -> list[int] | None:
    """How the manifest's file is; None where there is none."""
    try:
        seen = os.stat(os.path.join(home.manifests, f"{key}.json"))
    except OSError:
        return None
    return [seen.st_ino, seen.st_size, seen.st_mtime_ns]


def _verified(home: Home, path: str, filed: list[int] | None) -> str:
    if filed is None:
        return UNVERIFIED
    from trainctl.kit import manifest

    known = manifest.read(home.manifests, path)
    if known is None:
        return UNVERIFIED
    return VERIFIED if manifest.stands(known, path) else CHANGED


def _read(path: str, seen: Mapping[str, os.stat_result], now: float) -> Facts:
    from trainctl.checkpoints.formats import registry
    from trainctl.checkpoints.source import LocalSource
    from trainctl.kit.checkpoints import Found

    step = step_of(os.path.basename(path))
    newest = max((one.st_mtime for one in seen.values()), default=0.0)
    size = sum(one.st_size for one in seen.values())
    found = Found(path, step, size, newest, "" not in seen)
    try:
        with LocalSource(path) as source:
            told = registry.inspect(source)
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        return Facts("", "", step, None, None, {}, None, why)
    why = "; ".join(told.findings[:1])
    why = why or completeness.incompleteness(found, writers_alive=True, now=now) or ""
    return Facts(
        told.format,
        f"{told.framework} {told.version}".strip(),
        step if told.step is None else told.step,
        told.epoch,
        told.loss,
        dict([*told.metrics.items()][:_METRICS]),
        [*told.best_metric] if told.best_metric else None,
        why,
    )
