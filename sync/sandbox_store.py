"""Owns a sandbox's state: one SQLite file of raw records, the log of effects, planned faults, number ranges.

A record is flat: field -> value, nested things by `Part[row].Field` names (see `sync.flat`). Everything is
written in one transaction per request, so that a killed sandbox comes back with whole requests only.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record(type TEXT, key TEXT, fields TEXT NOT NULL, etag INTEGER NOT NULL,
    created_at TEXT NOT NULL, changed_at TEXT NOT NULL, PRIMARY KEY(type, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_changed ON record(type, changed_at, key);
CREATE TABLE IF NOT EXISTS mention(type TEXT, word TEXT, key TEXT, PRIMARY KEY(type, word, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effect(seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, method TEXT, path TEXT,
    type TEXT, key TEXT, kind TEXT, idempotency_key TEXT, correlation_id TEXT, digest TEXT);
CREATE TABLE IF NOT EXISTS fault(id INTEGER PRIMARY KEY AUTOINCREMENT, match TEXT, kind TEXT, left INTEGER);
CREATE TABLE IF NOT EXISTS number_range(name TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""

_WORD = re.compile(r"\b(?=[A-Za-z]*[0-9])[0-9A-Za-z]{10,}\b")  # ids, account numbers, IBANs

_EFFECT = (
    "seq",
    "at",
    "method",
    "path",
    "type",
    "key",
    "kind",
    "idempotency_key",
    "correlation_id",
    "digest",
)


@dataclass(frozen=True)
class Row:
    """One raw record; `etag` counts its changes."""

    type: str
    key: str
    fields: dict[str, Any]
    etag: int
    created_at: str
    changed_at: str


@dataclass(frozen=True)
class Cause:
    """The request behind an effect."""

    method: str = ""
    path: str = ""
    idempotency_key: str = ""
    correlation_id: str = ""


class Store:
    """`with store.transaction(cause):` around everything; reads outside it see whole transactions only."""

    def __init__(self, file: str, *, indexes: Mapping[str, Iterable[str]] | None = None) -> None:
        self._lock = threading.RLock()
        self._cause = Cause()
        self._depth = 0
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        if not self._db.execute("SELECT 1 FROM mention LIMIT 1").fetchone():  # a file from before there were any
            for row in self._db.execute("SELECT type, key, fields FROM record").fetchall():
                self._mention(*row)
        for type, names in (indexes or {}).items():
            for name in names:
                label = hashlib.sha256(f"{type}/{name}".encode()).hexdigest()[:12]
                self._db.execute(f"CREATE INDEX IF NOT EXISTS field_{label} ON record(type, {_extract(name)})")
        self._tell_planner()

    def _tell_planner(self) -> None:
        """That a value finds few records: knowing nothing, SQLite reads all of a type by the primary key instead."""
        self._db.execute("ANALYZE number_range")  # makes the table of what is told, at the cost of a few rows
        self._db.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'record'")
        self._db.execute("INSERT INTO sqlite_stat1 VALUES ('record', 'record', '100000 10000 1')")
        self._db.execute("INSERT INTO sqlite_stat1 VALUES ('record', 'record_changed', '100000 10000 2 1')")
        self._db.execute(
            "INSERT INTO sqlite_stat1 SELECT tbl_name, name, '100000 10000 2' FROM sqlite_schema"
            " WHERE type = 'index' AND name LIKE 'field!_%' ESCAPE '!'"
        )
        self._db.execute("ANALYZE sqlite_schema")  # reads it anew

    @contextmanager
    def transaction(self, cause: Cause | None = None) -> Iterator[None]:
        """Those within belong to the outermost; a `cause` holds until the next one is given."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
                self._cause = Cause()
            self._cause = cause or self._cause
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def get(self, type: str, key: str) -> Row | None:
        return next(iter(self._select("type = ? AND key = ?", (type, key))), None)

    def put(self, type: str, key: str, fields: Mapping[str, Any], *, log: bool = True) -> Row:
        """Create or replace a record; an effect is logged even when nothing differs: the write did happen."""
        with self.transaction():
            known = self.get(type, key)
            now = _now()
            text = json.dumps(dict(fields), ensure_ascii=False)
            etag = known.etag + 1 if known else 1
            self._db.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                (type, key, text, etag, known.created_at if known else now, now),
            )
            self._mention(type, key, text)
            if log:
                self._log(type, key, "updated" if known else "created", fields)
            return Row(type, key, dict(fields), etag, known.created_at if known else now, now)

    def where(self, type: str, field: str, value: Any) -> list[Row]:
        """Records whose field equals the value; fast for fields named in `indexes`."""
        return self._select(f"type = ? AND {_extract(field)} = ?", (type, value))

    def containing(self, type: str, text: str) -> list[Row]:
        """Records in whose fields the text occurs anywhere: a cheap first pick where there is no index."""
        return self._select("type = ? AND instr(fields, ?) > 0", (type, text))

    def mentioning(self, type: str, text: str) -> list[Row]:
        """The same for a text with a long number in it (ten characters and more), which has to occur there as a whole."""
        word = _WORD.search(text)
        if word is None:
            return self.containing(type, text)
        named = "key IN (SELECT key FROM mention WHERE type = ? AND word = ?)"
        return self._select(f"type = ? AND {named} AND instr(fields, ?) > 0", (type, type, word[0], text))

    def page(
        self, type: str, *, skip: int = 0, top: int | None = None, changed_since: str = "", after: str = ""
    ) -> list[Row]:
        """Records in the order of their keys."""
        found = "type = ? AND changed_at >= ? AND key > ? ORDER BY key LIMIT ? OFFSET ?"
        return self._select(found, (type, changed_since, after, -1 if top is None else top, skip))

    def count(self, type: str, changed_since: str = "") -> int:
        with self._lock:
            found = self._db.execute(
                "SELECT count(*) FROM record WHERE type = ? AND changed_at >= ?", (type, changed_since)
            )
            return int(found.fetchone()[0])

    def next_number(self, name: str, start: int) -> int:
        """The next number of a range that never gives one twice, also after a crash."""
        with self.transaction():
            found = self._db.execute("SELECT last FROM number_range WHERE name = ?", (name,)).fetchone()
            number = int(found[0]) + 1 if found else start
            self._db.execute("INSERT OR REPLACE INTO number_range VALUES (?, ?)", (name, number))
            return number

    def raise_number(self, name: str, at_least: int) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO number_range VALUES (?, ?)"
                " ON CONFLICT(name) DO UPDATE SET last = max(last, excluded.last)",
                (name, at_least),
            )

    def effects(self, after: int = 0) -> list[dict[str, Any]]:
        names = _EFFECT
        with self._lock:
            rows = self._db.execute(f"SELECT {', '.join(names)} FROM effect WHERE seq > ? ORDER BY seq", (after,))
            return [dict(zip(names, row, strict=True)) for row in rows]

    def add_fault(self, match: str, kind: str, count: int) -> None:
        with self.transaction():
            self._db.execute("INSERT INTO fault(match, kind, left) VALUES (?, ?, ?)", (match, kind, count))

    def faults(self) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute("SELECT id, match, kind, left FROM fault WHERE left > 0 ORDER BY id")
            return [dict(zip(("id", "match", "kind", "left"), row, strict=True)) for row in rows]

    def take_fault(self, id: int) -> bool:
        """Use up one count; False when another request was quicker."""
        with self.transaction():
            changed = self._db.execute("UPDATE fault SET left = left - 1 WHERE id = ? AND left > 0", (id,))
            self._db.execute("DELETE FROM fault WHERE id = ? AND left <= 0", (id,))  # every request reads them all
            return changed.rowcount == 1

    def clear(self, *tables: str) -> None:
        with self.transaction():
            for table in tables or ("record", "mention", "effect", "fault", "number_range"):
                self._db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _select(self, where: str, values: tuple[Any, ...]) -> list[Row]:
        with self._lock:
            rows = self._db.execute(
                f"SELECT type, key, fields, etag, created_at, changed_at FROM record WHERE {where}", values
            ).fetchall()
        return [Row(type, key, json.loads(fields), *rest) for type, key, fields, *rest in rows]

    def _mention(self, type: str, key: str, text: str) -> None:
        """What a record mentioned before stays: whoever looks for it then looks at the record."""
        words = {(type, word, key) for word in _WORD.findall(text)}
        self._db.executemany("INSERT OR IGNORE INTO mention VALUES (?, ?, ?)", words)

    def _log(self, type: str, key: str, kind: str, fields: Mapping[str, Any]) -> None:
        text = json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)
        cause = self._cause
        self._db.execute(
            "INSERT INTO effect(at, method, path, type, key, kind, idempotency_key, correlation_id, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _now(),
                cause.method,
                cause.path,
                type,
                key,
                kind,
                cause.idempotency_key,
                cause.correlation_id,
                hashlib.sha256(text.encode()).hexdigest(),
            ),
        )


def _extract(field: str) -> str:
    quoted = field.replace('"', "").replace("'", "")
    return f"json_extract(fields, '$.\"{quoted}\"')"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
