"""The mbox file as this process knows it: rows of the index, and where each message lies at the moment.

The index knows a message by the digest of what is served of it, so its UID and flags outlive whatever other programs do to the
file as long as the message itself is there. Of messages that are equal to the last byte the first in the file is the one
with the lowest UID. Where messages lie is remembered beside the index (`pillarbox.mbox`, a cache), so
that a file which has not changed since is not read at login.

What a scan has found goes into the index only if the file is still as it was scanned: somebody else's scan may have been later.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from pillarbox.backends.mailstore.maildir.folder import Folder, Row, text_of
from pillarbox.backends.mailstore.maildir.index import Index
from pillarbox.backends.mailstore.maildir.keywords import Keywords
from pillarbox.backends.mailstore.mbox import access
from pillarbox.backends.mailstore.mbox.headers import date_of, flags_of
from pillarbox.backends.mailstore.mbox.scan import PIECE, Snapshot, Span, look, scan
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import MailboxBusy, NoSuchMailbox

CACHE = "pillarbox.mbox"
_PATIENCE = 30.0
"""Seconds that another program may hold the lock."""
_AGAIN = 0.1
_TRIES = 5
_BATCH = 500
_UNKEPT = 256 * 1024
"""Bytes at the end that need not be remembered."""
_Result = TypeVar("_Result")


class Marks(msgspec.Struct, frozen=True, gc=False):
    """What is read of a new message besides."""

    flags: frozenset[str]
    date: float


class Look(msgspec.Struct, frozen=True, gc=False):
    """A scan, matched with the rows of the index as of `modseq`."""

    snapshot: Snapshot
    modseq: int
    spans: dict[int, Span]
    """By uid."""
    fresh: Sequence[Span]
    gone: list[int]
    marks: dict[bytes, Marks]
    """Of the fresh ones, by digest."""
    is_whole: bool
    """False: what is not in `spans` is where it was."""


class InIndexOnly(Keywords):
    """An mbox has no letters for keywords."""

    def refresh(self) -> bool:
        return False

    def learn(self, flags: object) -> None:
        return None


class Inbox(Folder):
    """Made by the account."""

    def __init__(self, database: Index, identity: int, name: str, place: MailPlace, clock: Clock) -> None:
        super().__init__(database, identity, name, os.fsencode(place.inbox))
        self.keywords = InIndexOnly(self.path)
        self.place = place
        self.spans: dict[int, Span] = {}
        self._clock = clock
        self._snapshot: Snapshot | None = None
        self._placed_at = -1
        self._kept = Snapshot()
        self.scanning = asyncio.Lock()

    @property
    def watched(self) -> tuple[Path, ...]:
        return (Path(self.place.inbox),)

    async def patiently(self, call: Callable[[], _Result]) -> _Result:
        """In a thread, again while another program holds the lock. Raises MailboxBusy, and what the call does."""
        give_up = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                return await asyncio.to_thread(call)
            except MailboxBusy:
                if self._clock.monotonic() > give_up:
                    raise
            await self._clock.sleep(_AGAIN)

    # From the file into the index.

    def _look_at_file(self) -> tuple[int, int, int, int]:
        try:
            return look(self.path)
        except OSError as error:
            raise NoSuchMailbox(self.name) from error

    def has_changed(self) -> bool:
        found = self.index.row("SELECT modseq FROM folders WHERE id=?", (self.id,))
        return (
            found != (self.modseq,) or self._snapshot is None or self._look_at_file() != self._snapshot.seen
        )

    def is_settled(self) -> bool:
        """Who reads a message looks whether it is that message."""
        return True

    async def refresh(self, *, is_forced: bool = False, is_patient: bool = False) -> None:
        """Raises MailboxBusy only when nothing is known yet, or after patience: otherwise what is new waits for the next look."""
        self.pull()
        if not is_forced and self._is_current():
            return
        async with self.scanning:
            if not is_forced and self._is_current():
                return
            must = is_patient or self._snapshot is None
            try:
                await self._take_in(is_forced, must)
            except MailboxBusy:
                if must:
                    raise
            except OSError as error:
                raise NoSuchMailbox(self.name) from error

    def _is_current(self) -> bool:
        return (
            self._snapshot is not None
            and self._placed_at == self.modseq
            and self._look_at_file() == self._snapshot.seen
        )

    async def _take_in(self, is_forced: bool, is_patient: bool) -> None:
        before = Snapshot() if is_forced else self._snapshot
        for _ in range(_TRIES):
            seen = await self._see(before, is_patient)
            if await self._note(seen):
                break
            before = seen.snapshot
        if self._snapshot is not None and self._is_worth_keeping(self._snapshot):
            self._kept = self._snapshot
            await asyncio.to_thread(_keep, self.place.root, self.place.inbox, self._snapshot)

    def _is_worth_keeping(self, snapshot: Snapshot) -> bool:
        """What is added at the end is quickly found again."""
        kept = self._kept
        is_growth = snapshot.spans[: len(kept.spans) - 1] == kept.spans[:-1] and snapshot.inode == kept.inode
        return not is_growth or snapshot.size - kept.size > _UNKEPT + kept.size // 16

    async def _see(self, before: Snapshot | None, is_patient: bool) -> Look:
        rows, modseq = list(self.rows.values()), self.modseq
        is_placed = before is not None and before is self._snapshot and self._placed_at == modseq

        def see() -> Look:
            begin = before
            if begin is None:
                begin = self._kept = _kept(self.place.root, self.place.inbox)
            with access.reading(self.place) as descriptor:
                snapshot = Snapshot() if descriptor is None else scan(descriptor, begin)
                grown = _grown(begin, snapshot) if is_placed else None
                spans, fresh, gone = grown or _match(rows, snapshot)
                marks = {} if descriptor is None else _marks_of(descriptor, fresh, snapshot.modified_ns)
            return Look(snapshot, modseq, spans, fresh, gone, marks, grown is None)

        return await (self.patiently(see) if is_patient else asyncio.to_thread(see))

    async def _note(self, seen: Look) -> bool:
        """False: the file has changed since, or another process has been faster; look again."""
        spans, modseq = seen.spans, seen.modseq
        for start in range(0, len(seen.fresh) or len(seen.gone[:1]), _BATCH):
            async with self.changing():
                if self.modseq != modseq or self._look_at_file() != seen.snapshot.seen:
                    return False
                if start == 0:
                    self.remove(seen.gone)
                spans.update(self._add(seen.fresh[start : start + _BATCH], seen.marks))
            modseq += 1
        if self.modseq != modseq:
            return False
        if not seen.is_whole:
            spans = self.spans | spans
        self._snapshot, self.spans, self._placed_at = seen.snapshot, spans, modseq
        return True

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot or Snapshot()

    def know(self, snapshot: Snapshot) -> None:
        """What the file is now, of our own doing; uids follow with the next refresh."""
        self._snapshot, self._placed_at = snapshot, -1

    def newest(self, digests: Sequence[bytes]) -> list[int]:
        """Uids of messages that have just been added, in that order. Raises OSError when one has gone already."""
        uids: dict[bytes, list[int]] = {}
        for uid, row in self.rows.items():
            uids.setdefault(_digest_of(row.name), []).append(uid)
        try:
            return [uids[digest].pop() for digest in reversed(digests)][::-1]
        except (KeyError, IndexError):
            raise OSError(errno.EIO, "another program has removed what was added") from None

    def _add(self, fresh: Sequence[Span], known: dict[bytes, Marks]) -> dict[int, Span]:
        """Inside `changing`."""
        modseq, now, first = self.modseq + 1, self._clock.now(), self.uid_next
        rows = []
        for uid, span in enumerate(fresh, first):
            marks = known.get(span.digest, Marks(frozenset(), now))
            name = b"%b.%d" % (span.digest, uid)
            date = marks.date or now
            rows.append((self.id, uid, modseq, name, False, text_of(marks.flags), span.size, date, now))
        if rows:
            self.index.run_many("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?)", rows)
            self.index.run("UPDATE folders SET uid_next=? WHERE id=?", (first + len(rows), self.id))
            self._is_touched = True
        return dict(zip(range(first, first + len(rows)), fresh, strict=True))


def _digest_of(name: bytes) -> bytes:
    return name.partition(b".")[0]


_Matched = tuple[dict[int, Span], Sequence[Span], list[int]]
"""(uid → span, spans without a uid, uids without a span)."""


def _match(rows: Sequence[Row], snapshot: Snapshot) -> _Matched:
    """`rows`: ascending by uid."""
    uids: dict[bytes, list[int]] = {}
    for row in reversed(rows):
        uids.setdefault(_digest_of(row.name), []).append(row.entry.uid)
    spans: dict[int, Span] = {}
    fresh: list[Span] = []
    for span in snapshot.spans:
        if equal := uids.get(span.digest):
            spans[equal.pop()] = span
        else:
            fresh.append(span)
    return spans, fresh, [uid for left in uids.values() for uid in left]


def _grown(before: Snapshot, now: Snapshot) -> _Matched | None:
    """What is new at the end, when that is all."""
    known = len(before.spans)
    if known and now.spans[:known] == before.spans:
        return {}, now.spans[known:], []
    return None


def _marks_of(descriptor: int, fresh: Sequence[Span], modified_ns: int) -> dict[bytes, Marks]:
    return {span.digest: _marks(descriptor, span, modified_ns) for span in fresh}


def _marks(descriptor: int, span: Span, modified_ns: int) -> Marks:
    line = os.pread(descriptor, span.text - span.start, span.start)
    begin = os.pread(descriptor, min(PIECE, span.end - span.text), span.text)
    return Marks(flags_of(begin), date_of(line) or modified_ns / 1e9)


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    path: str
    snapshot: Snapshot


def _kept(root: str, path: str) -> Snapshot:
    """What the last process knew. Whatever it says: who reads a message looks whether it is that message."""
    with suppress(OSError, msgspec.DecodeError):
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO is as good as nothing
        descriptor = os.open(os.path.join(root, CACHE), flags)
        with open(descriptor, "rb") as file:
            kept = msgspec.msgpack.decode(file.read(), type=_Kept)
        if kept.path == path:
            return kept.snapshot
    return Snapshot()


def _keep(root: str, path: str, snapshot: Snapshot) -> None:
    draft = os.path.join(root, f"{CACHE}.new")
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(draft, flags, 0o600), "wb") as file:
            file.write(msgspec.msgpack.encode(_Kept(path, snapshot)))
        os.rename(draft, os.path.join(root, CACHE))
