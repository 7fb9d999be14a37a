"""Replies kept in a SQLite file: what was answered once is not asked again, also after a kill."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ponderank.contracts import Backend, Cancels, Interrupts, Streams, Tokenizer
from ponderank.errors import DataError
from ponderank.types import Call, Reply, Usage

_MARK = 0x504F4E44
"""``application_id`` of our files: "POND"."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"


class Cached:
    """A backend in front of which a SQLite file answers what it knows.

    Replies are keyed by the backend's ``fingerprint`` and the call, so another model, length or file never meets them.
    Equal calls in flight are asked once. A reply from the file has ``usage.cached_tokens`` equal to its prompt tokens and
    no seconds; so does an equal call's that was in flight. Several processes may share a file.

    Raises:
        DataError: the file is not a cache of ours, is damaged, or cannot be written; also later, from any method.
    """

    def __init__(self, backend: Backend, path: str | Path) -> None:
        self.backend, self.path = backend, Path(path)
        self.can = backend.can
        if hasattr(backend, "levels"):
            self.levels = backend.levels
        self.hits = self.asked = 0
        self._file: sqlite3.Connection | None = self._open()
        self._known: deque[tuple[int, Reply]] = deque()
        self._waiting: dict[str, list[int]] = {}
        self._inner: dict[int, str] = {}
        self._unwritten: dict[str, Reply] = {}
        self._texts: list[tuple[int, str]] = []
        self._tickets = 0

    @property
    def tokenizer(self) -> Tokenizer:
        """The backend's."""
        return self.backend.tokenizer

    @property
    def fingerprint(self) -> str:
        """The backend's; a server is asked for it, so only when it is needed."""
        return self.backend.fingerprint

    def _open(self) -> sqlite3.Connection:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            (mark,) = file.execute("PRAGMA application_id").fetchone()
            if tables - {"replies"} or mark not in (0, _MARK):
                file.close()
                raise DataError("this database is another program's; name another file", path=self.path)
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=NORMAL")
            if mark != _MARK:
                file.execute(f"PRAGMA application_id={_MARK}")
            file.execute(_SCHEMA)
            file.execute("SELECT key, reply FROM replies LIMIT 1").fetchall()
            return file

    @contextmanager
    def _explained(self) -> Iterator[sqlite3.Connection]:
        try:
            yield getattr(self, "_file", None)  # type: ignore[misc]
        except (sqlite3.Error, OSError) as error:
            remedy = "name another file or delete it"
            raise DataError(f"not a Ponderank cache that can be used: {error}; {remedy}", path=self.path) from error

    def add(self, call: Call) -> int:
        """Queue a call; it reaches the backend only if the file has no reply."""
        self._tickets += 1
        key = call_key(self.fingerprint, call)
        reply = self._read(key)
        if reply is not None:
            self.hits += 1
            self._known.append((self._tickets, _free(reply)))
        elif key in self._waiting:
            self._waiting[key].append(self._tickets)
        else:
            self.asked += 1
            self._waiting[key] = [self._tickets]
            self._inner[self.backend.add(call)] = key
        return self._tickets

    def step(self) -> list[tuple[int, Reply]]:
        """What the file knew, else what the backend has finished."""
        if self._known:
            known = list(self._known)
            self._known.clear()
            return known
        done: list[tuple[int, Reply]] = []
        replies = self.backend.step()
        for ticket, text in self.backend.written() if isinstance(self.backend, Streams) else ():
            self._texts += [(outer, text) for outer in self._waiting.get(self._inner.get(ticket, ""), ())]
        for ticket, reply in replies:
            key = self._inner.pop(ticket)
            if reply.finish not in ("interrupted", "late", "failed"):  # another time there may be more of it
                self._unwritten[key] = reply
            for number, outer in enumerate(self._waiting.pop(key, ())):  # nobody, when all were cancelled
                done.append((outer, _free(reply) if number else reply))
        self._write()  # before anybody sees them: what was answered is never asked again, even after a kill
        return done

    def cancel(self, tickets: Collection[int]) -> None:
        """Drop these calls; the backend's only when nobody else waits for them."""
        gone = set(tickets)
        self._known = deque(item for item in self._known if item[0] not in gone)
        left = {key: [ticket for ticket in waiting if ticket not in gone] for key, waiting in self._waiting.items()}
        self._waiting = {key: waiting for key, waiting in left.items() if waiting}
        dropped = [inner for inner, key in self._inner.items() if key not in self._waiting]
        if isinstance(self.backend, Cancels):
            self.backend.cancel(dropped)
            for inner in dropped:
                del self._inner[inner]

    def written(self) -> list[tuple[int, str]]:
        """What the backend wrote, for everybody who waits for it."""
        texts, self._texts = self._texts, []
        return texts

    def interrupt(self, tickets: Collection[int]) -> None:
        """Cut these calls short; not those that somebody else waits for too."""
        if isinstance(self.backend, Interrupts):
            gone = set(tickets)
            keys = {key for key, waiting in self._waiting.items() if gone.issuperset(waiting)}
            self.backend.interrupt([inner for inner, key in self._inner.items() if key in keys])

    def close(self) -> None:
        """Write what is unwritten, then close the file and the backend."""
        if self._file:
            self._write()
            self._file.close()
            self._file = None
        self.backend.close()

    def _read(self, key: str) -> Reply | None:
        if key in self._unwritten:
            return self._unwritten[key]
        with self._explained() as file:
            row = file.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else _reply(json.loads(row[0]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"a reply in this cache is damaged: {error!r}; delete the file", path=self.path) from error

    def _write(self) -> None:
        if not self._unwritten:
            return
        rows = [(key, json.dumps(_plain(reply))) for key, reply in self._unwritten.items()]
        with self._explained() as file:
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?)", rows)
            file.execute("COMMIT")
        self._unwritten.clear()


def call_key(fingerprint: str, call: Call) -> str:
    """The cache key of a call to a model: SHA-256 of the fingerprint, the call's kind and its fields."""
    fields = asdict(call)
    # keys are what they were before there were triples, and draws from the likeliest only
    usual = {"other": "", "top_p": 1.0, "top_k": 0}
    fields = {name: value for name, value in fields.items() if name not in usual or value != usual[name]}
    canonical = json.dumps([fingerprint, type(call).__name__, fields], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(reply: Reply) -> dict[str, Any]:
    values = asdict(reply)
    return {name: value for name, value in values.items() if name not in ("vectors", "spans") or value}


def _free(reply: Reply) -> Reply:
    return replace(reply, usage=replace(reply.usage, cached_tokens=reply.usage.prompt_tokens, seconds=0.0))


def _reply(values: dict[str, Any]) -> Reply:
    known = {name: values[name] for name in ("stop", "cut_tokens", "estimate") if name in values}
    rows: dict[str, Any] = {name: tuple(map(tuple, values[name])) for name in ("vectors", "spans") if name in values}
    return Reply(values["text"], values["finish"], tuple(values["scores"]), Usage(**values["usage"]), **known, **rows)
