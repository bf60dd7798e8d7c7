"""A mail store in memory: for tests, and for trying Pillarbox without leaving a file.

It keeps every promise of the port except surviving the process. Each opened mailbox has a view of its own that moves on `refresh` or
with its own changes, as the real store's does, so that sequence numbers are tested against the same behaviour.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from pillarbox.backends.mailstore import lineends, marking, names
from pillarbox.ports.clock import Clock
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import (
    Appended,
    Changes,
    Copied,
    Entry,
    FlagAction,
    Mailbox,
    MailboxExists,
    MailboxInfo,
    MailboxNameInvalid,
    MailboxStatus,
    MailStore,
    NewMessage,
    NoSuchMailbox,
    OverQuota,
    StoreResult,
)


class MemoryStores:
    """`open_store(home)`: the same home gives the same mail."""

    def __init__(self, clock: Clock, *, quota: int | None = None) -> None:
        """`quota`: bytes an account may hold."""
        self._clock = clock
        self._quota = quota
        self._accounts: dict[str, MemoryStore] = {}

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        if home not in self._accounts:
            self._accounts[home] = MemoryStore(self._clock, self._quota)
        return self._accounts[home]


class _Folder:
    """One mailbox's messages and its change log."""

    __slots__ = (
        "cache",
        "contents",
        "entries",
        "expunged",
        "is_gone",
        "mailbox_id",
        "modseq",
        "special_use",
        "uid_next",
        "uid_validity",
        "waiting",
    )

    def __init__(self, uid_validity: int, special_use: str) -> None:
        self.uid_validity = uid_validity
        self.mailbox_id = f"M{uid_validity}"
        self.special_use = special_use
        self.uid_next = 1
        self.modseq = 1
        self.entries: dict[int, Entry] = {}
        self.contents: dict[int, bytes] = {}
        self.cache: dict[tuple[int, str], bytes] = {}
        self.expunged: list[tuple[int, int]] = []
        self.waiting: set[asyncio.Event] = set()
        self.is_gone = False

    def add(self, content: bytes, flags: frozenset[str], internal_date: float, now: float) -> int:
        """At the current modseq; the caller has called `step`."""
        uid = self.uid_next
        self.uid_next += 1
        self.contents[uid] = content
        self.entries[uid] = Entry(uid, self.modseq, flags, internal_date, lineends.crlf_size(content), now)
        return uid

    def drop(self, uid: int) -> None:
        del self.entries[uid], self.contents[uid]
        self.expunged.append((self.modseq, uid))
        for key in [key for key in self.cache if key[0] == uid]:
            del self.cache[key]

    def step(self) -> None:
        self.modseq += 1
        for event in self.waiting:
            event.set()


class MemoryStore:
    """One account."""

    def __init__(self, clock: Clock, quota: int | None) -> None:
        self.clock = clock
        self._quota = quota
        self._validities = itertools.count(int(clock.now()))
        self._subscribed: set[str] = set()
        self.folders: dict[str, _Folder] = {}
        for name, use in {names.INBOX: "", **names.SPECIAL_USE}.items():
            self._make(name, use)
            self._subscribed.add(name)

    def _make(self, name: str, special_use: str) -> None:
        self.folders[name] = _Folder(next(self._validities), special_use)

    def folder(self, name: str) -> _Folder:
        """Raises NoSuchMailbox."""
        try:
            return self.folders[names.canonical(name)]
        except (KeyError, MailboxNameInvalid) as error:
            raise NoSuchMailbox(name) from error

    def make_room(self, size: int) -> None:
        """Raises OverQuota."""
        used = sum(entry.size for folder in self.folders.values() for entry in folder.entries.values())
        if self._quota is not None and used + size > self._quota:
            raise OverQuota(f"{used} of {self._quota} bytes are used")

    async def list_mailboxes(self) -> Sequence[MailboxInfo]:
        return names.listing(
            {name: folder.special_use for name, folder in self.folders.items()}, self._subscribed
        )

    async def create(self, name: str, special_use: str = "") -> None:
        name = names.canonical(name)
        if name in self.folders:
            raise MailboxExists(name)
        for parent in names.parents(name):
            if parent not in self.folders:
                self._make(parent, "")
        self._make(name, special_use or names.SPECIAL_USE.get(name, ""))

    async def delete(self, name: str) -> None:
        folder, name = self.folder(name), names.canonical(name)
        if name == names.INBOX:
            raise MailboxNameInvalid("INBOX cannot be deleted")
        folder.is_gone = True
        folder.step()
        del self.folders[name]

    async def rename(self, old: str, new: str) -> None:
        source, new = self.folder(old), names.canonical(new)
        old = names.canonical(old)
        if new in self.folders or names.is_beneath(new, old):
            raise MailboxExists(new)
        await self._make_parents(new)
        if old == names.INBOX:
            self._make(new, "")
            _move(source, list(source.entries), self.folders[new], self.clock.now())
            return
        for name in [name for name in self.folders if name == old or names.is_beneath(name, old)]:
            self.folders[new + name[len(old) :]] = self.folders.pop(name)

    async def _make_parents(self, name: str) -> None:
        for parent in names.parents(name):
            if parent not in self.folders:
                self._make(parent, "")

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        name = names.canonical(name)
        if subscribed:
            self._subscribed.add(name)
        else:
            self._subscribed.discard(name)

    async def open(self, name: str) -> Mailbox:
        self.folder(name)
        return MemoryMailbox(self, names.canonical(name))

    async def status(self, name: str) -> MailboxStatus:
        folder = self.folder(name)
        unseen, deleted, size = marking.totals(folder.entries.values())
        return MailboxStatus(
            messages=len(folder.entries),
            unseen=unseen,
            deleted=deleted,
            uid_next=folder.uid_next,
            uid_validity=folder.uid_validity,
            highest_modseq=folder.modseq,
            size=size,
            mailbox_id=folder.mailbox_id,
        )

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        folder = self.folder(name)
        self.make_room(sum(len(message.data) for message in messages))
        now = self.clock.now()
        folder.step()
        uids = tuple(
            folder.add(
                lineends.to_stored(message.data),
                marking.keepable(message.flags),
                now if message.internal_date is None else message.internal_date,
                now,
            )
            for message in messages
        )
        return Appended(folder.uid_validity, uids)

    def close(self) -> None:
        """The mail stays: another `open_store` finds it."""


class MemoryMailbox:
    """A view of one folder."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store = store
        self._name = name
        self._folder = store.folder(name)
        self._changed = asyncio.Event()
        self._folder.waiting.add(self._changed)
        self._look()

    def _look(self) -> None:
        self._entries = tuple(self._folder.entries.values())
        self._modseq = self._folder.modseq
        self._uid_next = self._folder.uid_next
        self._changed.clear()

    @property
    def name(self) -> str:
        return self._name

    @property
    def mailbox_id(self) -> str:
        return self._folder.mailbox_id

    @property
    def uid_validity(self) -> int:
        return self._folder.uid_validity

    @property
    def uid_next(self) -> int:
        return self._uid_next

    @property
    def highest_modseq(self) -> int:
        return self._modseq

    async def refresh(self) -> None:
        """Raises NoSuchMailbox when the mailbox was deleted."""
        if self._folder.is_gone:
            raise NoSuchMailbox(self._name)
        if self._folder.modseq != self._modseq:
            self._look()

    def entries(self) -> Sequence[Entry]:
        return self._entries

    def changes_since(self, modseq: int) -> Changes:
        changed = tuple(entry for entry in self._entries if entry.modseq > modseq)
        gone = {uid for at, uid in self._folder.expunged if modseq < at <= self._modseq}
        return Changes(changed, tuple(sorted(gone)), self._modseq)

    async def content(self, uid: int) -> bytes | None:
        content = self._folder.contents.get(uid)
        return None if content is None else lineends.to_crlf(content)

    def cached(self, uid: int, kind: str) -> bytes | None:
        return self._folder.cache.get((uid, kind))

    def put_cached(self, uid: int, kind: str, data: bytes) -> None:
        if uid in self._folder.entries:
            self._folder.cache[uid, kind] = data

    async def store_flags(
        self,
        uids: Collection[int],
        action: FlagAction,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> StoreResult:
        held, change = self._folder.entries, marking.keepable(flags)
        modified = tuple(
            uid
            for uid in sorted(uids)
            if uid not in held or (unchanged_since is not None and held[uid].modseq > unchanged_since)
        )
        applied = sorted(set(uids).difference(modified))
        after = {uid: marking.apply(held[uid].flags, action, change) for uid in applied}
        differing = [uid for uid in applied if after[uid] != held[uid].flags]
        if differing:
            self._folder.step()
            for uid in differing:
                held[uid] = replace(held[uid], flags=after[uid], modseq=self._folder.modseq)
            self._look()
        return StoreResult(tuple(held[uid] for uid in applied), modified)

    async def expunge(self, uids: Collection[int] | None = None) -> tuple[int, ...]:
        held = self._folder.entries
        wanted = held if uids is None else held.keys() & set(uids)
        gone = tuple(sorted(uid for uid in wanted if "\\Deleted" in held[uid].flags))
        if gone:
            self._folder.step()
            for uid in gone:
                self._folder.drop(uid)
            self._look()
        return gone

    async def copy_to(self, uids: Collection[int], target: str) -> Copied:
        folder, held = self._store.folder(target), self._folder.entries
        source = tuple(sorted(held.keys() & set(uids)))
        self._store.make_room(sum(held[uid].size for uid in source))
        made = _copy(self._folder, source, folder, self._store.clock.now())
        self._look()
        return Copied(folder.uid_validity, source, made)

    async def move_to(self, uids: Collection[int], target: str) -> Copied:
        folder = self._store.folder(target)
        source = tuple(sorted(self._folder.entries.keys() & set(uids)))
        made = _move(self._folder, source, folder, self._store.clock.now())
        self._look()
        return Copied(folder.uid_validity, source, made)

    async def wait_for_change(self, timeout: float) -> bool:
        if self._folder.modseq != self._modseq or self._folder.is_gone:
            return True
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._folder.waiting.discard(self._changed)


def _copy(source: _Folder, uids: Sequence[int], target: _Folder, now: float) -> tuple[int, ...]:
    if not uids:
        return ()
    target.step()
    made = []
    for uid in uids:
        entry = source.entries[uid]
        made.append(target.add(source.contents[uid], entry.flags, entry.internal_date, now))
        for (cached_uid, kind), data in list(source.cache.items()):
            if cached_uid == uid:
                target.cache[made[-1], kind] = data
    return tuple(made)


def _move(source: _Folder, uids: Sequence[int], target: _Folder, now: float) -> tuple[int, ...]:
    made = _copy(source, uids, target, now)
    if uids:
        source.step()
        for uid in uids:
            source.drop(uid)
    return made
