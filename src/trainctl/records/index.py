"""A cache of all records for fast listing: SQLite, rebuilt on any doubt, never the truth.

A row is written before its folder is made, so that the index knows at least what there is; the
runs folder's modification time tells when somebody else added or removed one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from trainctl.errors import TrainctlError
from trainctl.kit import files
from trainctl.kit.names import Home, RunFolder
from trainctl.records import record as records
from trainctl.records.record import Record
from trainctl.records.rows import SORTS, Row, Wanted, conditions
from trainctl.records.state import State

if TYPE_CHECKING:
    import sqlite3  # at run time only where the index is opened: help pages need none

T = TypeVar("T")
VERSION = 2
_SCHEMA = f"""
CREATE TABLE runs (
  name TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT, living INTEGER NOT NULL,
  created REAL NOT NULL, started REAL, ended REAL, trained REAL NOT NULL,
  going_since REAL, attempts INTEGER NOT NULL,
  exit_code INTEGER, step INTEGER, checkpoints INTEGER NOT NULL, platform TEXT NOT NULL,
  tags TEXT NOT NULL, command TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_living ON runs (name) WHERE living;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""


class Index:
    """Opened per command; `close` it. Every method is quick at 100,000 runs."""

    def __init__(self, home: Home, connection: sqlite3.Connection) -> None:
        self._home = home
        self._db = connection

    @classmethod
    def open(cls, home: Home) -> Self:
        """The index of this home; made anew from the folders where it is damaged or not ours.

        Raises TrainctlError where the disk is full or does not let it be written.
        """
        import sqlite3

        try:
            try:
                return cls(home, _connect(home.index))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR:
                    raise  # a full disk, a lock held too long; SQLITE_ERROR: a table is missing
                return cls(home, _anew(home))
            except sqlite3.DatabaseError:
                return cls(home, _anew(home))
        except sqlite3.OperationalError as error:
            raise _unusable(home, error) from error

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, rows: Iterable[Row]) -> None:
        marks = ",".join("?" * len(Row._fields))
        self._write(f"INSERT OR REPLACE INTO runs VALUES ({marks})", list(rows))

    def drop(self, names: Iterable[str]) -> None:
        self._write("DELETE FROM runs WHERE name = ?", [(name,) for name in names])

    def living(self) -> list[str]:
        return [name for (name,) in self._read("SELECT name FROM runs WHERE living")]

    def with_prefix(self, prefix: str, limit: int = 20) -> list[str]:
        """Names that begin so, newest first; all for an empty prefix."""
        query = "SELECT name FROM runs WHERE name >= ? AND name < ? ORDER BY created DESC LIMIT ?"
        after = prefix + "\U0010ffff"
        return [name for (name,) in self._read(query, (prefix, after, limit))]

    def newest(self) -> str | None:
        found = self._read("SELECT name FROM runs ORDER BY created DESC LIMIT 1")
        return str(found[0][0]) if found else None

    def names(self) -> list[str]:
        return [name for (name,) in self._read("SELECT name FROM runs")]

    def count(self, wanted: Wanted) -> int:
        where, values = conditions(wanted)
        [(count,)] = self._read(f"SELECT COUNT(*) FROM runs {where}", values)
        return int(count)

    def find(self, wanted: Wanted) -> list[Row]:
        where, values = conditions(wanted)
        column = wanted.sort if wanted.sort in SORTS else "created"
        order = f"ORDER BY {column} {'ASC' if wanted.ascending else 'DESC'}, name"
        limit = -1 if wanted.limit is None else wanted.limit
        columns = ", ".join(Row._fields)
        query = f"SELECT {columns} FROM runs {where} {order} LIMIT ?"
        return [Row(*found) for found in self._read(query, (*values, limit))]

    def catch_up(self, row_of: Callable[[str], Row | None]) -> None:
        """Take in runs that came or went without us: copied, restored, deleted by hand.

        Costs one `stat` where nothing did.
        """
        now = str(_changed(self._home))
        if self._fact("runs_changed") == now:
            return
        there = set(_folders(self._home))
        known = set(self.names())
        self.drop(known - there)
        self.put([row for row in map(row_of, sorted(there - known)) if row is not None])
        self._set_fact("runs_changed", now)

    def add_with_folder(self, row: Row, make_folder: Callable[[], None]) -> None:
        """Row first, folder second: a crash in between leaves a row that `catch_up` drops."""
        before = str(_changed(self._home))
        self.put([row])
        make_folder()
        if self._fact("runs_changed") == before:
            self._set_fact("runs_changed", str(_changed(self._home)))

    def _fact(self, name: str) -> str | None:
        found = self._read("SELECT value FROM facts WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def _set_fact(self, name: str, value: str) -> None:
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, value)])

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._surely(lambda: self._db.execute(query, values).fetchall())

    def _write(self, statement: str, rows: list[Any]) -> None:
        def write() -> None:
            with self._db:
                self._db.executemany(statement, rows)

        self._surely(write)

    def _surely(self, act: Callable[[], T]) -> T:
        """Do it; where only now a page turns out damaged, once more on an index made anew."""
        import sqlite3

        try:
            try:
                return act()
            except sqlite3.OperationalError:
                raise  # a full disk, a lock that is held too long: the index itself is sound
            except sqlite3.DatabaseError:
                self._db.close()
                self._db = _anew(self._home)
                self.catch_up(lambda name: row_of_folder(self._home.run(name)))
                return act()
        except sqlite3.OperationalError as error:
            raise _unusable(self._home, error) from error


def _anew(home: Home) -> sqlite3.Connection:
    for suffix in ("", "-wal", "-shm"):
        files.remove(home.index + suffix)
    return _connect(home.index)


def _unusable(home: Home, error: Exception) -> TrainctlError:
    return TrainctlError(f"{home.index}: {error}", hint="df -h; then trainctl doctor")


def trouble(home: Home) -> str | None:
    """What is wrong with the index, None when nothing is or there is none; nothing is changed."""
    import sqlite3
    from urllib.parse import quote

    if not os.path.exists(home.index):
        return None
    try:
        connection = sqlite3.connect(f"file:{quote(home.index)}?mode=ro", timeout=10, uri=True)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                return f"{home.index} is of version {version}, not {VERSION}"
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            return None if found == "ok" else f"{home.index} is damaged: {found}"
        finally:
            connection.close()
    except sqlite3.Error as error:
        return f"{home.index} cannot be read: {error}"


def _connect(path: str) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError where the file is damaged, of a newer version, or not ours."""
    import sqlite3

    connection = sqlite3.connect(path, timeout=10)
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")  # a cache: a power cut may age it
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")  # who comes second waits here
            if _version(connection) == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            connection.commit()
        if _version(connection) != VERSION:
            raise sqlite3.DatabaseError(f"the index is of version {_version(connection)}")
        connection.execute("SELECT name FROM runs LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    os.chmod(path, 0o600)
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait to switch; where somebody is at it, a later command will."""
    import sqlite3

    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _changed(home: Home) -> int:
    try:
        return os.stat(home.runs).st_mtime_ns
    except FileNotFoundError:
        return 0


def _folders(home: Home) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(home.runs) if entry.is_dir()]
    except FileNotFoundError:
        return []


def row(record: Record, job: dict[str, Any]) -> Row:
    """What the index keeps of a record. job: job.json, or what little of it could be read."""
    last = record.last
    steps = [int(found["step"]) for found in record.checkpoints if found.get("step") is not None]
    return Row(
        name=record.name,
        state=str(record.state),
        reason=str(record.reason) if record.reason else None,
        living=int(record.living),
        created=float(job.get("created", 0)),
        started=next((attempt.started for attempt in record.attempts), None),
        ended=last.ended if last and record.state in (State.ENDED, State.INTERRUPTED) else None,
        trained=record.trained_seconds,
        going_since=last.started if last and record.living and last.ended is None else None,
        attempts=len(record.attempts),
        exit_code=last.code if last else None,
        step=steps[-1] if steps else None,
        checkpoints=len(record.checkpoints),
        platform=str(job.get("platform", "local")),
        tags=f" {' '.join(job.get('tags', []))} ",
        command=_printable(" ".join(str(word) for word in job.get("typed", [])))[:500],
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def row_of_folder(run: RunFolder) -> Row | None:
    """The row of a run as its folder tells it; None where there is no job, or no sense, in it."""
    job = files.read_json(run.job)
    if job is None:
        return None
    try:
        return row(records.read(run), job)
    except (AttributeError, KeyError, TypeError, ValueError):  # one odd file hides no other run
        return None
