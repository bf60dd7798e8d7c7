"""The index of one account: an SQLite file that several worker processes use at once.

WAL, with `synchronous=NORMAL`: a commit does not wait for the disk, so it may run on the loop; checkpoints, which do wait, run in a
thread. Power loss may therefore lose the newest UIDs. They must not be given to other messages then, so the first opening after
each boot moves every UIDNEXT and modseq up by more than could have been lost. Transactions are short and have no `await` inside; when
another worker holds the lock we wait on the loop, not in SQLite.

A file that is damaged, deleted or not ours is made anew; its mailboxes then have a new UIDVALIDITY.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

import apsw

from pillarbox.ports.clock import Clock

FILE = "pillarbox.index"
VALIDITY_FILE = "pillarbox.uidvalidity"
"""The highest UIDVALIDITY ever given, apart from the index because it must outlive it; also the lock for making the index."""
VERSION = 1
BOOT_JUMP = 20_000
"""More than the messages and changes that fit into the pages written between two checkpoints."""
_CHECKPOINT_PAGES = 400
_WAIT_FOR_LOCK = 15.0

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, directory TEXT NOT NULL UNIQUE, mailbox_id TEXT NOT NULL,
    uid_validity INTEGER NOT NULL, uid_next INTEGER NOT NULL, modseq INTEGER NOT NULL, expunge_floor INTEGER NOT NULL);
CREATE TABLE messages (
    folder INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL, name BLOB NOT NULL, is_new INTEGER NOT NULL,
    flags TEXT NOT NULL, size INTEGER NOT NULL, internal_date REAL NOT NULL, saved_at REAL NOT NULL,
    PRIMARY KEY (folder, uid)) WITHOUT ROWID;
CREATE INDEX messages_by_modseq ON messages (folder, modseq);
CREATE TABLE expunged (
    folder INTEGER NOT NULL, modseq INTEGER NOT NULL, uid INTEGER NOT NULL,
    PRIMARY KEY (folder, modseq, uid)) WITHOUT ROWID;
CREATE TABLE cache (
    folder INTEGER NOT NULL, uid INTEGER NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (folder, uid, kind)) WITHOUT ROWID;
"""

DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.SchemaChangeError, apsw.SQLError)
"""What only making the index anew can mend."""


class Index:
    """One connection. Not shared between processes: open it after the fork."""

    def __init__(self, root: str, clock: Clock) -> None:
        """Opens or makes the file. Raises OSError or apsw.Error when the directory cannot be written."""
        self._path = os.path.join(root, FILE)
        self._clock = clock
        self._checkpoint: asyncio.Task[None] | None = None
        self.generation = 0
        """Changes with every file that is opened: ids in one mean nothing in another."""
        self._connect()

    def _connect(self) -> None:
        with _rebuild_lock(self._path):
            try:
                self._open()
            except DAMAGED:
                self._remove_files()
                self._open()

    def _open(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(self._path)
        try:
            connection.set_busy_timeout(2000)
            connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512")
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            _prepare(connection)
            connection.set_busy_timeout(2)
            connection.set_wal_hook(self._wal_grew)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self.generation += 1
        status = os.stat(self._path)
        self._identity = (status.st_dev, status.st_ino)

    def _remove_files(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path + suffix)

    def is_current(self) -> bool:
        """False when somebody deleted or replaced the file."""
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def rebuild(self) -> None:
        """The file is damaged: begin a new one, unless another worker has done so already."""
        self._connection.close()
        with _rebuild_lock(self._path):
            if self.is_current():
                self._remove_files()
        self._connect()

    def reopen(self) -> None:
        self._connection.close()
        self._connect()

    def rows(self, sql: str, arguments: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        return self._connection.execute(sql, arguments)

    def row(self, sql: str, arguments: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return next(iter(self._connection.execute(sql, arguments)), None)

    def run(self, sql: str, arguments: Sequence[Any] = ()) -> None:
        self._connection.execute(sql, arguments)

    def run_many(self, sql: str, arguments: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, arguments)

    def write_now(self, sql: str, arguments: Iterable[Sequence[Any]]) -> None:
        """One transaction, without waiting. Raises apsw.BusyError when another worker writes."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(sql, arguments)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Several queries that see one state; inside a write transaction, that one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """A write transaction. No `await` inside. Raises apsw.BusyError after 15 s of others holding the lock."""
        await self._begin()
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    async def _begin(self) -> None:
        give_up = self._clock.monotonic() + _WAIT_FOR_LOCK
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except apsw.BusyError:
                if self._clock.monotonic() > give_up:
                    raise
            await self._clock.sleep(0.005)

    def next_uid_validity(self, now: float) -> int:
        """Higher than any before. Call inside `writing`."""
        path = os.path.join(os.path.dirname(self._path), VALIDITY_FILE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            last = os.pread(descriptor, 20, 0).strip()
            validity = max(int(now), int(last) + 1 if last.isdigit() else 1)
            os.pwrite(descriptor, b"%010d\n" % validity, 0)
        finally:
            os.close(descriptor)
        return validity

    def _wal_grew(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages >= _CHECKPOINT_PAGES and (self._checkpoint is None or self._checkpoint.done()):
            with contextlib.suppress(RuntimeError):  # no loop: the next commit on one will do it
                self._checkpoint = asyncio.get_running_loop().create_task(
                    asyncio.to_thread(_checkpoint, self._path)
                )
        return apsw.SQLITE_OK

    def close(self) -> None:
        self._connection.close()


def _checkpoint(path: str) -> None:
    """With a connection of its own, in a thread: the fsyncs happen here."""
    with contextlib.suppress(apsw.Error):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        connection.close()


@contextlib.contextmanager
def _rebuild_lock(path: str) -> Iterator[None]:
    """Held for as long as opening takes, so that no two workers make or remove the file at once."""
    descriptor = os.open(
        path.removesuffix(FILE) + VALIDITY_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(connection: apsw.Connection) -> None:
    """Schema and boot jump. Raises one of DAMAGED for a file that is not a whole index of this version."""
    (version,) = next(iter(connection.execute("PRAGMA user_version")))
    boot = _boot_id()
    if version == VERSION:
        if (boot,) in connection.execute("SELECT value FROM meta WHERE key='boot'"):
            return
    elif version != 0 or next(iter(connection.execute("SELECT count(*) FROM sqlite_schema")))[0]:
        raise apsw.FormatError(f"index version {version}")
    connection.execute("BEGIN IMMEDIATE")
    if version == 0:
        connection.execute(_SCHEMA + f"PRAGMA user_version={VERSION}")
    else:
        connection.execute(
            "UPDATE folders SET uid_next=uid_next+?1, modseq=modseq+?1 WHERE uid_next>1", (BOOT_JUMP,)
        )
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?)", (boot,))
    connection.execute("COMMIT")


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def new_mailbox_id() -> str:
    """OBJECTID (RFC 8474): letters, digits, `-` and `_`."""
    return "P" + secrets.token_urlsafe(15)
