"""Hints in one SQLite file that all workers share (Exim's `db/retry`, chapter 32).

Reads come from a cache, else from an indexed look-up of some microseconds; writes go to a thread that commits what has gathered in
one transaction. Other workers' changes are seen within a second: SQLite's `data_version` tells that there were some, and the cache
is emptied then. Hints are hints: a file that is damaged is put aside and begun anew, a failed write costs an attempt, never mail.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable

import apsw

from pillarbox.ports.clock import Clock
from pillarbox.ports.hints import RetryHint

CHECK_INTERVAL = 1.0
GATHER = 0.05
MAX_CACHED = 50_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS retry (
    key TEXT PRIMARY KEY, first_failed REAL NOT NULL, last_tried REAL NOT NULL, next_try REAL NOT NULL,
    is_expired INTEGER NOT NULL, error TEXT NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID
"""
_FIND = "SELECT first_failed, last_tried, next_try, is_expired, error, text FROM retry WHERE key = ?"
_PUT = "INSERT OR REPLACE INTO retry VALUES (?, ?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM retry WHERE key = ?"
_TIDY = "DELETE FROM retry WHERE last_tried < ?"

Changes = dict[str, RetryHint | None]
"""None: forget it."""


class SqliteHints:
    """Opens (or makes) the file at `path`. `report`: for the panic log. Call `close` at the end."""

    def __init__(self, path: str, clock: Clock, report: Callable[[str], None] = lambda _: None) -> None:
        self._clock = clock
        self._report = report
        self._reader = _open(path, report)
        self._reader.set_busy_timeout(100)
        self._writer = _open(path, report)
        self._writer.set_busy_timeout(10_000)
        self._cache: Changes = {}
        self._version = self._data_version()
        self._checked_at = clock.monotonic()
        self._pending: Changes = {}
        self._in_transaction: Changes = {}
        self._wakes = threading.Condition()
        self._is_closing = False
        self._troubles: deque[str] = deque(maxlen=10)
        """What the thread has to report; told by the next call, in the caller's thread."""
        self._thread = threading.Thread(target=self._write_groups, name="hints", daemon=True)
        self._thread.start()

    def retry(self, key: str) -> RetryHint | None:
        for changes in (self._pending, self._in_transaction):
            if changes and key in changes:
                return changes[key]
        if self._clock.monotonic() - self._checked_at >= CHECK_INTERVAL:
            self._notice_changes()
        try:
            return self._cache[key]
        except KeyError:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            found = self._cache[key] = self._find(key)
            return found

    def put_retry(self, key: str, hint: RetryHint) -> None:
        self._change(key, hint)

    def forget_retry(self, key: str) -> None:
        if self.retry(key) is not None:
            self._change(key, None)

    def tidy(self, older_than: float) -> int:
        """Waits for the writes before it; a matter of milliseconds."""
        self.flush()
        try:
            with self._wakes:
                self._writer.execute(_TIDY, (older_than,))
                removed = self._writer.changes()
        except apsw.Error as error:
            self._report(f"hints: {error}")
            return 0
        self._cache.clear()
        return removed

    def flush(self) -> None:
        """Returns when everything put so far is durable (or could not be made so)."""
        with self._wakes:
            self._wakes.notify_all()
            self._wakes.wait_for(lambda: not self._pending and not self._in_transaction, timeout=15)

    def close(self) -> None:
        with self._wakes:
            self._is_closing = True
            self._wakes.notify_all()
        self._thread.join()
        self._tell_troubles()
        self._reader.close()
        self._writer.close()

    def _tell_troubles(self) -> None:
        while self._troubles:
            self._report(self._troubles.popleft())

    def _change(self, key: str, hint: RetryHint | None) -> None:
        self._tell_troubles()
        with self._wakes:
            self._pending[key] = self._cache[key] = hint
            self._wakes.notify_all()

    def _notice_changes(self) -> None:
        self._checked_at = self._clock.monotonic()
        version = self._data_version()
        if version != self._version:
            self._version = version
            self._cache.clear()

    def _data_version(self) -> int:
        try:
            return int(self._reader.pragma("data_version"))
        except apsw.Error:
            return -1

    def _find(self, key: str) -> RetryHint | None:
        try:
            row = self._reader.execute(_FIND, (_text(key),)).fetchone()
        except apsw.Error as error:
            self._report(f"hints: {error}")
            return None
        return RetryHint(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) if row else None

    def _write_groups(self) -> None:
        while True:
            with self._wakes:
                self._wakes.wait_for(lambda: self._pending or self._is_closing)
                if not self._pending:
                    return
                if not self._is_closing:
                    self._wakes.wait(GATHER)
                self._in_transaction, self._pending = self._pending, {}
            try:
                self._write(self._in_transaction)
            except apsw.Error as error:
                self._troubles.append(f"hints: {len(self._in_transaction)} not written: {error}")
            with self._wakes:
                self._in_transaction = {}
                self._wakes.notify_all()

    def _write(self, changes: Changes) -> None:
        with self._writer:
            self._writer.executemany(
                _PUT, [_row(key, hint) for key, hint in changes.items() if hint is not None]
            )
            self._writer.executemany(
                _FORGET, [(_text(key),) for key, hint in changes.items() if hint is None]
            )


def _row(key: str, hint: RetryHint) -> tuple[str, float, float, float, int, str, str]:
    times = (hint.first_failed, hint.last_tried, hint.next_try)
    return (_text(key), *times, int(hint.is_expired), _text(hint.error), _text(hint.text))


def _text(value: str) -> str:
    """SQLite takes Unicode only; lone surrogates (bytes that were no UTF-8) become `\\udc80`."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _open(path: str, report: Callable[[str], None]) -> apsw.Connection:
    """One process at a time: SQLite does not wait while a fresh database changes to WAL, and a damaged one must be set aside once."""
    with open(f"{path}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _open_locked(path, report)


def _open_locked(path: str, report: Callable[[str], None]) -> apsw.Connection:
    try:
        return _connect(path)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        report(f"hints: {path} is damaged ({error}): begun anew, the old one kept as {path}.damaged")
        os.replace(path, f"{path}.damaged")
        for suffix in ("-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        return _connect(path)


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    try:
        connection.set_busy_timeout(10_000)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.execute(_SCHEMA)
    except apsw.Error:
        connection.close()
        raise
    return connection
