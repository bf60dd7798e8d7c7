"""A keyed file of `exim_dbmbuild` as the tools see it: one SQLite table, as Debian's Exim has had it since 4.98 (Exim 9.3.2).

Keys and data end in a zero byte unless they were written without (`-nozero`); here both are without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from pillarbox.cli.tools.hints_files import NoHints

TABLE = "tblblob"
_ZERO = b"\0"


class DbmFile:
    """One that exists."""

    def __init__(self, path: Path) -> None:
        """Raises NoHints."""
        try:
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            self._connection.execute(f"SELECT ky FROM {TABLE} LIMIT 1").fetchall()
        except apsw.Error as error:
            reason = os.strerror(2) if not path.exists() else str(error)
            raise NoHints(f"** Failed to open hintsdb file {path} for reading: {reason}") from None

    def entries(self) -> Iterator[tuple[str, str]]:
        """By key."""
        for key, data in self._connection.execute(f"SELECT ky, dat FROM {TABLE} ORDER BY ky"):
            yield _text(key), _text(data)

    def get(self, key: str) -> str | None:
        row = self._connection.execute(f"SELECT dat FROM {TABLE} WHERE ky IN (?, ?)", _both(key)).fetchone()
        return None if row is None else _text(row[0])

    def change(self, key: str, data: str) -> None:
        with_zero = _bytes(data) + _ZERO, _bytes(key) + _ZERO
        self._connection.execute(f"UPDATE {TABLE} SET dat = ? WHERE ky = ?", with_zero)
        self._connection.execute(f"UPDATE {TABLE} SET dat = ? WHERE ky = ?", (_bytes(data), _bytes(key)))

    def delete(self, key: str) -> None:
        self._connection.execute(f"DELETE FROM {TABLE} WHERE ky IN (?, ?)", _both(key))


def write(path: Path, pairs: Iterable[tuple[str, str]], *, with_zero: bool) -> None:
    """Into a file that is new or empty. Raises apsw.Error."""
    end = _ZERO if with_zero else b""
    connection = apsw.Connection(str(path))
    try:
        with connection:
            connection.execute(f"CREATE TABLE {TABLE} (ky BLOB PRIMARY KEY, dat BLOB)")
            rows = ((_bytes(key) + end, _bytes(data) + end) for key, data in pairs)
            connection.executemany(f"INSERT OR REPLACE INTO {TABLE} VALUES (?, ?)", rows)
    finally:
        connection.close()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes | str) -> str:
    found = data if isinstance(data, bytes) else _bytes(data)
    return found.partition(_ZERO)[0].decode("utf-8", "surrogateescape")


def _both(key: str) -> tuple[bytes, bytes]:
    return _bytes(key), _bytes(key) + _ZERO
