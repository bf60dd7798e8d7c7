"""sqlite: an SQL statement for a SQLite file (Exim 9.13.5).

The file is the lookup's own, or `sqlite_dbfile`; it is opened for writing where we may, since administrators keep greylists this way,
and made when it is missing. Statements run in a thread, one at a time for each file, wait `sqlite_lock_timeout` for other programs'
locks, and are stopped at a number of steps. As with Exim, a statement that fails finds nothing.

One column: the values, a line each. Several: `name=value ` with values quoted where needed, a line for each row.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import apsw

from pillarbox.backends.lookups.driver import LookupWorld, QueryStyle
from pillarbox.backends.lookups.servers.rows import quoted
from pillarbox.ports.lookups import LookupDefer, LookupNotOpened

MAX_RESULT = 8 * 1024 * 1024
"""Characters."""
MAX_STEPS = 200_000_000
"""Instructions of SQLite's machine: some seconds."""
_STEPS_AT_ONCE = 100_000


class _Database:
    """One open file and who may use it."""

    def __init__(self, file: str, lock_timeout: float) -> None:
        self._connection = apsw.Connection(file)
        self._connection.set_busy_timeout(int(lock_timeout * 1000))
        self._connection.set_progress_handler(self._is_too_long, _STEPS_AT_ONCE)
        self._steps = 0
        self.lock = asyncio.Lock()

    def rows(self, query: str) -> str | None:
        """The result as text, None when there are no rows or the statement is bad."""
        self._steps = 0
        lines: list[str] = []
        size = 0
        cursor = self._connection.cursor()
        try:
            for row in cursor.execute(query):
                lines.append(self._line(cursor, row))
                size += len(lines[-1])
                if size > MAX_RESULT:
                    raise LookupDefer(f"sqlite: the result is longer than {MAX_RESULT} characters")
        except apsw.InterruptError:
            raise LookupDefer(f"sqlite: the statement takes more than {MAX_STEPS} steps") from None
        except apsw.Error:
            return None
        except UnicodeError:
            raise LookupDefer(
                "sqlite: the query or a text in the result is not UTF-8 (cast to blob?)"
            ) from None
        finally:
            cursor.close(True)
        return "\n".join(lines) if lines else None

    def _line(self, cursor: apsw.Cursor, row: tuple[apsw.SQLiteValue, ...]) -> str:
        texts = [self._text(value) for value in row]
        if len(texts) == 1:
            return texts[0]
        names = [column[0] for column in cursor.get_description()]
        return "".join([f"{name}={quoted(text)} " for name, text in zip(names, texts, strict=True)])

    def _text(self, value: apsw.SQLiteValue) -> str:
        """As SQLite itself writes it; text ends at a zero byte."""
        match value:
            case None:
                return "<NULL>"
            case str():
                text = value
            case bytes():
                text = value.decode("utf-8", "surrogateescape")
            case float():
                text = str(self._connection.execute("select cast(? as text)", (value,)).get)
            case _:
                text = str(value)
        return text.partition("\0")[0]

    def _is_too_long(self) -> bool:
        self._steps += _STEPS_AT_ONCE
        return self._steps > MAX_STEPS


class Sqlite(QueryStyle):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld) -> None:
        self._settings = world.settings
        self._open: OrderedDict[str, _Database] = OrderedDict()

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        database = self._database(source or self._settings.sqlite_dbfile)
        async with database.lock:
            return await asyncio.to_thread(database.rows, key.partition("\0")[0])

    def quote(self, text: str, option: str) -> str | None:
        return None if option else text.replace("'", "''")

    def _database(self, file: str) -> _Database:
        found = self._open.get(file)
        if found is None:
            if not file.startswith("/"):
                raise LookupNotOpened('absolute file name expected for "sqlite" lookup')
            try:
                found = self._open[file] = _Database(file, self._settings.sqlite_lock_timeout)
            except apsw.Error as error:
                raise LookupNotOpened(str(error).partition(": ")[2] or str(error)) from None
        self._open.move_to_end(file)
        if len(self._open) > max(1, self._settings.lookup_open_max):
            self._open.popitem(last=False)
        return found


def make(kind: str, world: LookupWorld) -> Sqlite:
    return Sqlite(world)
