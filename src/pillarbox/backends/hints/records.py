"""Hint records in an SQLite file that all processes share, and in memory.

No change waits for the disk (`synchronous = OFF`): after a power cut some rates are forgotten. A file that is damaged is begun anew. The file is
opened when the first record is asked for: most configurations ask for none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw

from pillarbox.ports.hint_records import Database, HintRecord, RecordsBusy, Update

PATIENCE = 250
"""Milliseconds that the loop may stand still for another process."""
MAX_RECORDS = 1_000_000
"""In one file; the oldest tenth goes when there are more."""
CHECK_EVERY = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    database TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL, PRIMARY KEY (database, key)
) WITHOUT ROWID
"""
_READ = "SELECT at, text FROM records WHERE database = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)"
_FORGET = "DELETE FROM records WHERE database = ? AND key = ?"
_ALL = "SELECT key, at, text FROM records WHERE database = ? ORDER BY key"
_THIN_OUT = "DELETE FROM records WHERE at <= (SELECT at FROM records ORDER BY at LIMIT 1 OFFSET ?)"


class SqliteRecords:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None
        self._changes = 0

    def read(self, database: Database, key: str) -> HintRecord | None:
        with self._asking() as connection:
            row = connection.execute(_READ, (database, key)).fetchone()
        return HintRecord(row[0], row[1]) if row is not None else None

    def change(self, database: Database, key: str, update: Update) -> None:
        with self._asking() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                row = connection.execute(_READ, (database, key)).fetchone()
                made = update(HintRecord(row[0], row[1]) if row is not None else None)
                if made is not None:
                    connection.execute(_PUT, (database, key, made.at, made.text))
                self._bound(connection)
            finally:
                connection.execute("COMMIT")

    def forget(self, database: Database, keys: Sequence[str]) -> None:
        """Raises RecordsBusy."""
        with self._asking() as connection:
            connection.executemany(_FORGET, [(database, key) for key in keys])

    def all(self, database: Database) -> Iterator[tuple[str, HintRecord]]:
        with self._asking() as connection:
            for key, at, text in connection.execute(_ALL, (database,)):
                yield key, HintRecord(at, text)

    def tidy(self, older_than: float) -> int:
        with self._asking() as connection:
            connection.execute("DELETE FROM records WHERE at < ?", (older_than,))
            return connection.changes()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _bound(self, connection: apsw.Connection) -> None:
        self._changes += 1
        if self._changes % CHECK_EVERY == 0:
            row = connection.execute("SELECT count(*) FROM records").fetchone()
            if row is not None and row[0] > MAX_RECORDS:
                connection.execute(_THIN_OUT, (MAX_RECORDS // 10,))

    @contextlib.contextmanager
    def _asking(self) -> Iterator[apsw.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except apsw.BusyError as error:
            raise RecordsBusy(str(error)) from error
        except apsw.Error as error:
            self.close()
            raise RecordsBusy(f"{self._path}: {error}") from error

    def _open(self) -> apsw.Connection:
        try:
            return self._connect()
        except (apsw.NotADBError, apsw.CorruptError):
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> apsw.Connection:
        with contextlib.suppress(OSError):  # SQLite says what is wrong
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(PATIENCE)
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        connection.execute(_SCHEMA)
        return connection


class MemoryRecords:
    def __init__(self) -> None:
        self._records: dict[tuple[str, str], HintRecord] = {}

    def read(self, database: Database, key: str) -> HintRecord | None:
        return self._records.get((database, key))

    def change(self, database: Database, key: str, update: Update) -> None:
        made = update(self._records.get((database, key)))
        if made is not None:
            self._records[(database, key)] = made

    def forget(self, database: Database, keys: Sequence[str]) -> None:
        for key in keys:
            self._records.pop((database, key), None)

    def all(self, database: Database) -> Iterator[tuple[str, HintRecord]]:
        for (kind, key), record in sorted(self._records.items()):
            if kind == database:
                yield key, record

    def tidy(self, older_than: float) -> int:
        old = [place for place, record in self._records.items() if record.at < older_than]
        for place in old:
            del self._records[place]
        return len(old)

    def close(self) -> None:
        return None
