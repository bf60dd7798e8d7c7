"""dbm, dbmnz and dbmjz: keyed files such as exim_dbmbuild writes (Exim 9.3.2 to 9.3.4).

What a file is, is seen at its beginning: SQLite (what Debian's exim_dbmbuild has written since 4.98), Berkeley DB (before that, and
Courier's or Cyrus SASL's files) and GNU dbm; the last two need the Python interpreter's own modules for them. Keys of dbm end in a
zero byte, those of dbmnz do not, those of dbmjz are lists whose elements are joined by zero bytes. Other files defer with the reason;
the real one finds nothing in them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Protocol

import apsw

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles
from pillarbox.backends.lookups.servers.listing import split_list
from pillarbox.ports.lookups import LookupDefer

_SQLITE = b"SQLite format 3\0"
_TABLES = ("tblblob", "tbl")
_BERKELEY = {0x061561: "hash", 0x053162: "btree"}
_GNU = {0x13579ACD, 0x13579ACE, 0x13579ACF}


class _Records(Protocol):
    def get(self, key: bytes) -> bytes | None: ...


class _SqliteRecords:
    """Opened for each process once; one indexed query a lookup."""

    def __init__(self, source: str) -> None:
        self._connection = apsw.Connection(source, flags=apsw.SQLITE_OPEN_READONLY)
        tables = {
            str(name)
            for (name,) in self._connection.execute("select name from sqlite_master where type = 'table'")
        }
        table = next((name for name in _TABLES if name in tables), None)
        if table is None:
            raise LookupDefer(f"{source} is a sqlite3 file, but not one that exim_dbmbuild wrote")
        self._query = f"select dat from {table} where ky = ?"

    def get(self, key: bytes) -> bytes | None:
        for (data,) in self._connection.execute(self._query, (key,)):
            return data if isinstance(data, bytes) else str(data).encode()
        return None


class Dbm(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld, key_of: Callable[[str], bytes]) -> None:
        self._key_of = key_of
        self._files: KeptFiles[_Records] = KeptFiles(
            world.clock,
            _open,
            irregular="failed to open {source} as a sqlite3 file: Is a directory",
            purpose="as a sqlite3 file",
            limit=world.settings.lookup_open_max,
        )

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return self._found(self._files.now(source), key, source)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return self._found(await self._files.get(source), key, source)

    def _found(self, records: _Records, key: str, source: str) -> str | None:
        try:
            data = records.get(self._key_of(key))
        except (apsw.Error, OSError) as error:
            raise LookupDefer(f"reading {source}: {error}") from None
        return None if data is None else data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def make(kind: str, world: LookupWorld) -> Dbm:
    return Dbm(world, {"dbm": _with_zero, "dbmnz": _plain, "dbmjz": _joined}[kind])


def _plain(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _with_zero(key: str) -> bytes:
    return _plain(key) + b"\0"


def _joined(key: str) -> bytes:
    return b"\0".join(_plain(element) for element in split_list(key))


def _open(descriptor: int, source: str) -> _Records:
    head = os.pread(descriptor, 16, 0)
    magic = {int.from_bytes(head[at : at + 4], order) for at in (0, 12) for order in ("little", "big")}
    if head == _SQLITE:
        try:
            return _SqliteRecords(source)
        except apsw.Error as error:
            raise LookupDefer(f"reading {source}: {error}") from None
    if magic & _GNU:
        return _standard("gnu", source, source)
    if magic & _BERKELEY.keys():
        if not source.endswith(".db"):
            raise LookupDefer(f"{source} is a Berkeley DB file, whose name must end in .db for this program")
        return _standard("ndbm", source.removesuffix(".db"), source)
    raise LookupDefer(
        f"{source} is no DBM file that this program can read: build it again with exim_dbmbuild, or use cdb"
    )


def _standard(module: str, name: str, source: str) -> _Records:
    """By the interpreter's own module, which knows one kind of file each."""
    try:
        opened: _Records = importlib.import_module(f"dbm.{module}").open(name, "r")
    except ImportError as error:
        raise LookupDefer(
            f"{source} needs the Python module dbm.{module}, which is missing: {error}"
        ) from None
    except Exception as error:  # each module has an error class of its own
        raise LookupDefer(f"reading {source}: {error}") from None
    return opened
