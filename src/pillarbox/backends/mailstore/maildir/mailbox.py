"""One session's view of a mailbox in a Maildir: the port's `Mailbox`.

What it shows moves on `refresh` and with its own changes only. Files are renamed inside the index's write transaction, so that
workers take turns; what another program renames in that moment is found by a forced look at the directory and tried once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Collection, Iterator, Sequence

from pillarbox.backends.mailstore import lineends, marking
from pillarbox.backends.mailstore.maildir import filename, files, scan
from pillarbox.backends.mailstore.maildir.account import Account
from pillarbox.backends.mailstore.maildir.folder import Folder, Row
from pillarbox.backends.mailstore.maildir.transfer import Route, transfer
from pillarbox.ports.mailstore import Changes, Copied, Entry, FlagAction, NoSuchMailbox, StoreResult

_BATCH = 200
_LARGE = 256 * 1024
"""Files from this size on are read in a thread."""
_POLL = 3.0
_POLL_WATCHED = 20.0
_UNSETTLED = 0.03


class MaildirMailbox:
    """Made by `MaildirStore.open`."""

    def __init__(self, account: Account, folder: Folder) -> None:
        self._account = account
        self._folder = folder
        self._name = folder.name
        self._changed = asyncio.Event()
        folder.changed.add(self._changed)
        self._look()

    def _look(self) -> None:
        self._entries = self._folder.entries()
        self._modseq = self._folder.modseq
        self._uid_next = self._folder.uid_next

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
        """Raises NoSuchMailbox when the mailbox was deleted, or its index had to be made anew: open it again."""
        with self._account.mending(self._name):
            if not self._account.index.is_current():
                raise NoSuchMailbox(self._name)
            await self._folder.refresh()
        if self._folder.modseq != self._modseq:
            self._look()

    def entries(self) -> Sequence[Entry]:
        return self._entries

    def changes_since(self, modseq: int) -> Changes:
        if modseq >= self._modseq:
            return Changes((), (), self._modseq)
        changed = tuple([entry for entry in self._entries if entry.modseq > modseq])
        with self._account.mending(self._name):
            gone = self._folder.expunged_since(modseq, self._modseq, self._uid_next)
        return Changes(changed, gone, self._modseq)

    async def content(self, uid: int) -> bytes | None:
        for is_forced in (False, True):
            if is_forced:
                await self._folder.refresh(is_forced=True)
            if (row := self._folder.rows.get(uid)) is None:
                return None
            try:
                return await self._read(row)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP):
                    raise
        return None

    async def _read(self, row: Row) -> bytes:
        file = self._file(row)
        if row.entry.size < _LARGE:
            data = lineends.to_crlf(files.read(file))
        else:
            data = await asyncio.to_thread(lambda: lineends.to_crlf(files.read(file)))
        if len(data) != row.entry.size:
            await self._correct_size(row.entry.uid, len(data))
        return data

    async def _correct_size(self, uid: int, size: int) -> None:
        """The name lied, or somebody wrote into the file."""
        async with self._folder.changing() as modseq:
            if uid in self._folder.rows:
                self._folder.resize(uid, size, modseq)

    def _file(self, row: Row) -> bytes:
        return scan.file_of(self._folder.path, row.name, row.is_new)

    def cached(self, uid: int, kind: str) -> bytes | None:
        return self._folder.cache.get(uid, kind)

    def put_cached(self, uid: int, kind: str, data: bytes) -> None:
        if uid in self._folder.rows:
            self._folder.cache.put(uid, kind, data)

    async def store_flags(
        self,
        uids: Collection[int],
        action: FlagAction,
        flags: frozenset[str],
        *,
        unchanged_since: int | None = None,
    ) -> StoreResult:
        change = marking.keepable(flags)

        def decide(entry: Entry) -> frozenset[str] | None:
            if unchanged_since is not None and entry.modseq > unchanged_since:
                return None
            return marking.apply(entry.flags, action, change)

        with self._account.mending(self._name):
            if action != "remove":
                self._folder.keywords.learn(change)
            applied, refused, lost = await self._mark_all(sorted(set(uids)), decide)
            if lost:
                await self._folder.refresh(is_forced=True)
                more, still, gone = await self._mark_all(lost, decide)
                applied, refused = sorted(applied + more), refused + still + gone
        self._look()
        rows = self._folder.rows
        return StoreResult(tuple([rows[uid].entry for uid in applied if uid in rows]), tuple(sorted(refused)))

    async def _mark_all(
        self, uids: Sequence[int], decide: Callable[[Entry], frozenset[str] | None]
    ) -> tuple[list[int], list[int], list[int]]:
        """(changed, refused or gone, file not found)."""
        applied: list[int] = []
        refused: list[int] = []
        lost: list[int] = []
        for batch in _batches(uids):
            async with self._folder.changing() as modseq:
                for uid in batch:
                    row = self._folder.rows.get(uid)
                    flags = None if row is None else decide(row.entry)
                    if row is None or flags is None:
                        refused.append(uid)
                    elif self._mark(row, flags, modseq):
                        applied.append(uid)
                    else:
                        lost.append(uid)
        return applied, refused, lost

    def _mark(self, row: Row, flags: frozenset[str], modseq: int) -> bool:
        """Rename the file and note it in the index; False when the file is not where it was."""
        if flags == row.entry.flags:
            return True
        base, letters = filename.split(row.name)
        name = filename.join(base, self._folder.keywords.letters(flags, letters))
        if name != row.name or row.is_new:
            try:
                os.rename(self._file(row), scan.file_of(self._folder.path, name, False))
            except FileNotFoundError:
                return False
        self._folder.update(row.entry.uid, name, False, flags, modseq)
        return True

    async def expunge(self, uids: Collection[int] | None = None) -> tuple[int, ...]:
        rows = self._folder.rows
        with self._account.mending(self._name):
            gone = await self._remove(sorted(rows if uids is None else rows.keys() & set(uids)), _is_deleted)
        self._look()
        return tuple(gone)

    async def _remove(self, uids: Sequence[int], is_doomed: Callable[[Entry], bool]) -> list[int]:
        """Those of them that are there and doomed, for good."""
        rows = self._folder.rows
        gone: list[int] = []
        for batch in _batches(uids):
            async with self._folder.changing():
                doomed = [uid for uid in batch if uid in rows and is_doomed(rows[uid].entry)]
                for uid in doomed:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self._file(rows[uid]))
                self._folder.remove(doomed)
            gone += doomed
        return gone

    async def copy_to(self, uids: Collection[int], target: str) -> Copied:
        return await self._transfer(uids, target, is_move=False)

    async def move_to(self, uids: Collection[int], target: str) -> Copied:
        return await self._transfer(uids, target, is_move=True)

    async def _transfer(self, uids: Collection[int], target: str, *, is_move: bool) -> Copied:
        with self._account.mending(target):
            folder = await self._account.folder(target)
            route = Route(self._account, self._folder, folder, is_move)
            source, made = await transfer(route, sorted(set(uids)))
        self._look()
        return Copied(folder.uid_validity, source, made)

    async def wait_for_change(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                while not await self._changed_within(_POLL):
                    pass
        except TimeoutError:
            return False
        return True

    async def _changed_within(self, poll: float) -> bool:
        """Look, then wait for one event, at most as long as a session may go without looking."""
        self._changed.clear()
        folder, watches = self._folder, self._account.watches
        watched = folder.watched
        is_watched = watches.listen(watched, self._changed)
        try:
            if await self._has_changed():
                return True
            async with asyncio.timeout(_POLL_WATCHED if is_watched else poll):
                await self._changed.wait()
            return True
        except TimeoutError:
            return False
        finally:
            watches.forget(watched, self._changed)

    async def _has_changed(self) -> bool:
        try:
            with self._account.mending(self._name):
                if self._folder.modseq != self._modseq or self._folder.has_changed():
                    return True
                if not self._folder.is_settled():
                    await asyncio.sleep(_UNSETTLED)
                    await self._folder.refresh()
                return self._folder.modseq != self._modseq
        except NoSuchMailbox:
            return True

    def close(self) -> None:
        self._folder.cache.flush()
        self._folder.changed.discard(self._changed)


def _is_deleted(entry: Entry) -> bool:
    return "\\Deleted" in entry.flags


def _batches(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Pieces that keep one transaction to a few milliseconds; the loop has its turn between them."""
    for start in range(0, len(uids), _BATCH):
        yield uids[start : start + _BATCH]
