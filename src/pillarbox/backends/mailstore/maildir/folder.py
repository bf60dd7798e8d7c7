"""One mailbox as this process knows it: a copy of its rows in the index, shared by all sessions that have it open.

Three steps, each cheap when there is nothing to do: `refresh` takes what other programs did to the files into the index, `pull`
takes what the index says (also of other workers' doing) into memory, by modseq; `entries` gives a tuple that never changes, which
is what a session looks at. Every writer works inside `changing`, which pulls first, so that it decides on the present state.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

import apsw

from pillarbox.backends.mailstore.maildir import filename, index, scan
from pillarbox.backends.mailstore.maildir.cache import Cache
from pillarbox.backends.mailstore.maildir.index import Index
from pillarbox.backends.mailstore.maildir.keywords import Keywords
from pillarbox.ports.mailstore import Entry, NoSuchMailbox

EXPUNGE_LOG = 10_000
"""Expunged uids remembered for QRESYNC, per mailbox."""
_THREAD_ABOVE = 2000
_AT_ONCE = 50
_BATCH = 500
_COLUMNS = "uid, modseq, name, is_new, flags, size, internal_date, saved_at"


class Row:
    """A message and its file."""

    __slots__ = ("entry", "is_new", "name")

    def __init__(self, entry: Entry, name: bytes, is_new: bool) -> None:
        self.entry = entry
        self.name = name
        self.is_new = is_new


@functools.lru_cache(4096)
def flags_of(text: str) -> frozenset[str]:
    return frozenset(text.split(" ")) if text else frozenset()


def text_of(flags: frozenset[str]) -> str:
    return " ".join(sorted(flags))


class Folder:
    """Made by the account, for a directory that exists."""

    def __init__(self, database: Index, identity: int, name: str, path: bytes) -> None:
        self.index = database
        self.id = identity
        self.name = name
        self.path = path
        self.keywords = Keywords(path)
        self.cache = Cache(database, identity)
        self._generation = database.generation
        self.rows: dict[int, Row] = {}
        self.modseq = -1
        self.uid_next = 1
        self.expunge_floor = 0
        self.changed: set[asyncio.Event] = set()
        """Set whenever there is something new in memory."""
        found = database.row("SELECT uid_validity, mailbox_id FROM folders WHERE id=?", (identity,))
        if found is None:
            raise NoSuchMailbox(name)
        self.uid_validity: int = found[0]
        self.mailbox_id: str = found[1]
        self._names: dict[bool, dict[bytes, int]] = {True: {}, False: {}}
        self._bases: dict[bytes, int] = {}
        self._listed = self._seen = scan.NEVER
        self._is_relettered = False
        self._scanning = asyncio.Lock()
        self._entries: tuple[Entry, ...] | None = None

    @property
    def watched(self) -> tuple[Path, ...]:
        """What changes when another program does something to the mailbox."""
        root = Path(os.fsdecode(self.path))
        return root / "new", root / "cur"

    def entries(self) -> tuple[Entry, ...]:
        """Ascending by uid: rows are added in that order and replaced in place."""
        if self._entries is None:
            self._entries = tuple([row.entry for row in self.rows.values()])
        return self._entries

    # From the index into memory.

    def pull(self) -> bool:
        """Take in what the index has beyond `modseq`; whether there was anything. Raises NoSuchMailbox."""
        with self.index.reading():
            state = self.index.row(
                "SELECT mailbox_id, modseq, uid_next, expunge_floor FROM folders WHERE id=?", (self.id,)
            )
            if state is None or state[0] != self.mailbox_id:
                raise NoSuchMailbox(self.name)
            _, modseq, uid_next, floor = state
            if modseq == self.modseq:
                return False
            if 0 < self.modseq < floor:
                self._forget()
            self._take_expunged()
            self._take_changed()
        self.modseq, self.uid_next, self.expunge_floor = modseq, uid_next, floor
        self._entries = None
        for event in self.changed:
            event.set()
        return True

    def _forget(self) -> None:
        self.rows.clear()
        self._names = {True: {}, False: {}}
        self._bases.clear()
        self.modseq = -1

    def _take_expunged(self) -> None:
        if self.modseq < 0:
            return
        gone = self.index.rows("SELECT uid FROM expunged WHERE folder=? AND modseq>?", (self.id, self.modseq))
        for (uid,) in gone:
            if (row := self.rows.pop(uid, None)) is not None:
                self._names[row.is_new].pop(row.name, None)
                self._bases.pop(filename.base_of(row.name), None)

    def _take_changed(self) -> None:
        rows, names, bases = self.rows, self._names, self._bases
        for uid, modseq, name, is_new, flags, size, internal_date, saved_at in self.index.rows(
            f"SELECT {_COLUMNS} FROM messages WHERE folder=? AND modseq>? ORDER BY uid",
            (self.id, self.modseq),
        ):
            if (old := rows.get(uid)) is not None:
                names[old.is_new].pop(old.name, None)
            entry = Entry(uid, modseq, flags_of(flags), internal_date, size, saved_at)
            rows[uid] = Row(entry, name, bool(is_new))
            names[bool(is_new)][name] = uid
            bases[filename.base_of(name)] = uid

    # From the files into the index.

    async def refresh(self, *, is_forced: bool = False) -> None:
        """Raises NoSuchMailbox when the directory has gone. With a full disk new messages wait for room in the index."""
        self.pull()
        self._is_relettered = self.keywords.refresh() or self._is_relettered
        if not (is_forced or self._is_relettered) and self._look() == self._seen:
            return
        async with self._scanning:
            with contextlib.suppress(apsw.FullError):
                await self._scan()

    def _look(self) -> scan.Mtimes:
        try:
            return scan.mtimes(self.path)
        except OSError as error:
            raise NoSuchMailbox(self.name) from error

    def has_changed(self) -> bool:
        """Whether files or index differ from what is in memory, as far as a look tells. Raises NoSuchMailbox."""
        found = self.index.row("SELECT modseq FROM folders WHERE id=?", (self.id,))
        return found != (self.modseq,) or self._look() != self._listed

    def is_settled(self) -> bool:
        """False: the directory was listed in the same tick as it changed, so that `has_changed` may miss something."""
        return self._listed == self._seen

    async def _scan(self) -> None:
        began_at = scan.kernel_now()
        seen = self._look()
        try:
            difference = await self._compare()
        except OSError as error:
            raise NoSuchMailbox(self.name) from error
        if difference.renamed or difference.gone:
            await self._take_in_known(difference)
        for start in range(0, len(difference.added), _BATCH):
            async with self.changing():
                self.insert(difference.added[start : start + _BATCH])
        if self._is_relettered:
            await self._resolve_keywords()
            self._is_relettered = False
        self._listed, self._seen = seen, scan.settled(seen, began_at)

    async def _compare(self) -> scan.Difference:
        new, cur = self._names[True], self._names[False]
        if len(self.rows) < _THREAD_ABOVE:
            with contextlib.suppress(scan.TooMuch):
                return scan.compare(self.path, new, cur, self._bases, _AT_ONCE)
        return await asyncio.to_thread(scan.compare, self.path, dict(new), dict(cur), dict(self._bases))

    async def _take_in_known(self, difference: scan.Difference) -> None:
        async with self.changing() as modseq:
            for uid, where in difference.renamed.items():
                if (row := self.rows.get(uid)) is not None:
                    self._rename(row, where, modseq)
            self.remove([uid for uid in difference.gone if uid in self.rows])

    def _rename(self, row: Row, where: scan.Located, modseq: int) -> None:
        flags = self.keywords.flags(filename.split(where.name)[1], row.entry.flags)
        self.update(row.entry.uid, where.name, where.is_new, flags, modseq)

    async def _resolve_keywords(self) -> None:
        """Another program gave letters a meaning: read all names again."""
        async with self.changing() as modseq:
            for row in list(self.rows.values()):
                flags = self.keywords.flags(filename.split(row.name)[1], row.entry.flags)
                if flags != row.entry.flags:
                    self.update(row.entry.uid, row.name, row.is_new, flags, modseq)

    # Writing. Only inside `changing`.

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[int]:
        """A write transaction on this mailbox; the value is the modseq of its changes. No `await` inside."""
        async with self.index.writing():
            with self.turn() as modseq:
                yield modseq
        self.pull()

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """This mailbox's part of a transaction. `pull` after its end."""
        self.pull()
        self._is_touched = False
        yield self.modseq + 1
        if self._is_touched:
            self.index.run("UPDATE folders SET modseq=modseq+1 WHERE id=?", (self.id,))

    def insert(self, found: Sequence[scan.Found], flags: Sequence[frozenset[str]] | None = None) -> list[int]:
        """Give uids to new files; one that another worker's scan has met keeps the uid it got. `flags`: also those without letters."""
        uids: list[int] = []
        uid_next, modseq, rows = self.uid_next, self.modseq + 1, []
        for number, facts in enumerate(found):
            base, letters = filename.split(facts.name)
            marks = self.keywords.flags(letters, flags[number] if flags else ())
            if (uid := self._bases.get(base)) is not None:
                self.update(uid, facts.name, facts.is_new, marks, modseq)
            else:
                uid, uid_next = uid_next, uid_next + 1
                rows.append(
                    (self.id, uid, modseq, facts.name, facts.is_new, text_of(marks), *_measures(facts))
                )
            uids.append(uid)
        self.index.run_many("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?)", rows)
        self.index.run("UPDATE folders SET uid_next=? WHERE id=?", (uid_next, self.id))
        self._is_touched = True
        return uids

    def update(self, uid: int, name: bytes, is_new: bool, flags: frozenset[str], modseq: int) -> None:
        self.index.run(
            "UPDATE messages SET name=?, is_new=?, flags=?, modseq=? WHERE folder=? AND uid=?",
            (name, is_new, text_of(flags), modseq, self.id, uid),
        )
        self._is_touched = True

    def resize(self, uid: int, size: int, modseq: int) -> None:
        self.index.run(
            "UPDATE messages SET size=?, modseq=? WHERE folder=? AND uid=?", (size, modseq, self.id, uid)
        )
        self._is_touched = True

    def remove(self, uids: Iterable[int]) -> None:
        """Into the expunge log."""
        gone = [(self.id, uid) for uid in uids]
        if not gone:
            return
        self.index.run_many("DELETE FROM messages WHERE folder=? AND uid=?", gone)
        self.cache.forget(gone)
        self.index.run_many(
            "INSERT OR REPLACE INTO expunged VALUES (?,?,?)",
            ((self.id, self.modseq + 1, uid) for _, uid in gone),
        )
        self._trim_log()
        self._is_touched = True

    def _trim_log(self) -> None:
        oldest = self.index.row(
            "SELECT modseq FROM expunged WHERE folder=? ORDER BY modseq DESC LIMIT 1 OFFSET ?",
            (self.id, EXPUNGE_LOG),
        )
        if oldest is not None:
            self.index.run("DELETE FROM expunged WHERE folder=? AND modseq<=?", (self.id, oldest[0]))
            self.index.run("UPDATE folders SET expunge_floor=? WHERE id=?", (oldest[0], self.id))

    def expunged_since(self, modseq: int, until: int, uid_next: int) -> tuple[int, ...]:
        """Uids expunged after one modseq up to another; all that are not there when the log does not reach back."""
        if self._generation != self.index.generation:
            raise NoSuchMailbox(self.name)
        if modseq < self.expunge_floor:
            return tuple(uid for uid in range(1, uid_next) if uid not in self.rows)
        gone = self.index.rows(
            "SELECT uid FROM expunged WHERE folder=? AND modseq>? AND modseq<=? ORDER BY uid",
            (self.id, modseq, until),
        )
        return tuple(uid for (uid,) in gone)


def _measures(facts: scan.Found) -> tuple[int, float, float]:
    return facts.size, facts.internal_date, facts.saved_at


def adopt(database: Index, directory: str, now: float) -> int:
    """The folder row of a directory, made when it has none. Call inside `writing`."""
    if (found := database.row("SELECT id FROM folders WHERE directory=?", (directory,))) is not None:
        return int(found[0])
    database.run(
        "INSERT INTO folders (directory, mailbox_id, uid_validity, uid_next, modseq, expunge_floor) VALUES (?,?,?,1,1,0)",
        (directory, index.new_mailbox_id(), database.next_uid_validity(now)),
    )
    (identity,) = database.row("SELECT id FROM folders WHERE directory=?", (directory,)) or (0,)
    return int(identity)
