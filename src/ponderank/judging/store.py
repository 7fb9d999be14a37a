"""What assessors did, in a SQLite file that only grows: on the disk before anybody is told that it was taken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from ponderank.errors import DataError
from ponderank.judging.events import Event, remaining
from ponderank.judging.pool import Pool, item_of, pool_of

_MARK = 0x504F4E4A
"""``application_id`` of our files: "PONJ"."""

_COLUMNS = tuple(column.name for column in fields(Event))
_TABLES = {"pools", "items", "events", "sqlite_sequence"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pools (pool TEXT PRIMARY KEY, header TEXT NOT NULL, added TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (pool TEXT NOT NULL, place INTEGER NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (pool, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, pool TEXT NOT NULL, client TEXT NOT NULL UNIQUE,
    item TEXT NOT NULL, assessor TEXT NOT NULL, kind TEXT NOT NULL, grade INTEGER, note TEXT NOT NULL,
    undoes TEXT NOT NULL, seconds REAL NOT NULL, time TEXT NOT NULL, origin TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_of ON events (pool, assessor, id);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'judgements are only added to'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'judgements are only added to'); END;
"""


class Store:
    """Pools and the events of their assessors; use it as a context manager, from any thread.

    Events are added and never changed: an undo is an event, too. Several processes may share the file.

    Raises:
        DataError: the file is another program's, is damaged, or cannot be written; also later, from any method.
    """

    def __init__(self, path: str | Path, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        if must_exist and not self.path.is_file():
            raise DataError("no such store; `ponderank judge serve POOL --store FILE` makes one", path=path)
        self._lock = Lock()
        self._file = self._open()

    def _open(self) -> sqlite3.Connection:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (mark,) = file.execute("PRAGMA application_id").fetchone()
            if tables - _TABLES or mark not in (0, _MARK):
                file.close()
                raise DataError("this database is another program's; name another file", path=self.path)
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=FULL")  # a commit is on the disk when it returns, also if the power fails
            if mark != _MARK:
                file.execute(f"PRAGMA application_id={_MARK}")
            file.executescript(_SCHEMA)
            return file

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise DataError(f"not a store of judgements that can be used: {error}", path=self.path) from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._lock, self._explained():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add_pool(self, pool: Pool) -> bool:
        """Keep a pool with what is judged in it; False if the store has it."""
        name, now = pool.fingerprint, _now()
        with self._changing() as file:
            if file.execute("SELECT 1 FROM pools WHERE pool = ?", (name,)).fetchone():
                return False
            file.execute("INSERT INTO pools VALUES (?, ?, ?)", (name, json.dumps(pool.header()), now))
            rows = [(name, place, json.dumps(item.to_dict())) for place, item in enumerate(pool.items)]
            file.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
        return True

    def pools(self) -> dict[str, Pool]:
        """The pools by fingerprint, the oldest first."""
        with self._lock, self._explained():
            headers = self._file.execute("SELECT pool, header FROM pools ORDER BY added, pool").fetchall()
            rows = self._file.execute("SELECT pool, item FROM items ORDER BY pool, place").fetchall()
        items: dict[str, list[str]] = {}
        for name, item in rows:
            items.setdefault(name, []).append(item)
        return {
            name: pool_of(json.loads(header), [item_of(json.loads(item), self.path, 0) for item in items.get(name, ())])
            for name, header in headers
        }

    def append(self, pool: str, events: Iterable[Event]) -> int:
        """Take events of a pool, all or none; they are on the disk when this returns. Returns how many were new.

        An event whose ``client`` is known is left out: sending again what may have been lost is always safe. An event
        without a time gets this moment's.

        Raises:
            DataError: an undo of what is not there to be undone, a look at hidden things before grading, or a ``client``
                that is known for something else.
        """
        added = 0
        with self._changing() as file:
            for event in events:
                known = file.execute(f"SELECT {', '.join(_COLUMNS)} FROM events WHERE client = ?", (event.client,))
                row = known.fetchone()
                if row is not None:
                    if Event(*row).said != event.said:
                        raise DataError(f"the event {event.client!r} was sent before and was another one")
                    continue
                self._check(file, pool, event)
                timed = event if event.time else replace(event, time=_now())
                values = [getattr(timed, column) for column in _COLUMNS]
                marks = ", ".join("?" * (len(values) + 1))
                file.execute(f"INSERT INTO events (pool, {', '.join(_COLUMNS)}) VALUES ({marks})", (pool, *values))
                added += 1
        return added

    def _check(self, file: sqlite3.Connection, pool: str, event: Event) -> None:
        if event.kind not in ("undo", "reveal"):
            return
        standing = [one for one in remaining(_events(file, pool, event.assessor)) if one.item == event.item]
        if event.kind == "undo" and all(one.client != event.undoes for one in standing):
            raise DataError(f"{event.assessor} has no event {event.undoes!r} on this item that could be undone")
        if event.kind == "reveal" and all(one.kind != "grade" for one in standing):
            raise DataError("what is hidden is shown after grading")

    def events(self, pool: str, assessor: str | None = None) -> list[Event]:
        """The events of a pool, of one assessor or of all, in the order in which they were taken."""
        with self._lock, self._explained():
            return list(_events(self._file, pool, assessor))


def _events(file: sqlite3.Connection, pool: str, assessor: str | None) -> Iterator[Event]:
    which, values = ("", (pool,)) if assessor is None else (" AND assessor = ?", (pool, assessor))
    rows = file.execute(f"SELECT {', '.join(_COLUMNS)} FROM events WHERE pool = ?{which} ORDER BY id", values)
    return (Event(*row) for row in rows)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
