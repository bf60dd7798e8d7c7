"""One session's view of an mbox INBOX: the port's `Mailbox`; and of a Maildir mailbox beside one.

Flags are changed in the index alone. Messages are taken out of the file under its locks (`removal`), then out of the index. What goes from or
to the file by COPY or MOVE is held in memory on its way, so it is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from pillarbox.backends.mailstore import lineends
from pillarbox.backends.mailstore.maildir.appending import append_all as append_to_maildir
from pillarbox.backends.mailstore.maildir.folder import Folder, Row
from pillarbox.backends.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.backends.mailstore.mbox import access
from pillarbox.backends.mailstore.mbox.account import MboxAccount
from pillarbox.backends.mailstore.mbox.appending import append_all
from pillarbox.backends.mailstore.mbox.inbox import Inbox
from pillarbox.backends.mailstore.mbox.scan import Span, read
from pillarbox.backends.mailstore.mbox.taking import take_out
from pillarbox.ports.mailplace import MailPlace
from pillarbox.ports.mailstore import Appended, Copied, Entry, NewMessage, OverQuota

_MOST_CARRIED = 256 * 1024 * 1024
"""Bytes of one COPY or MOVE."""


async def deposit(account: MboxAccount, folder: Folder, messages: Sequence[NewMessage]) -> Appended:
    """All or nothing. Raises MailboxBusy, OverQuota, OSError."""
    if isinstance(folder, Inbox):
        return await append_all(folder, messages, account.clock)
    return await append_to_maildir(account, folder, messages)


class BesideMbox(MaildirMailbox):
    """A Maildir mailbox: what goes to INBOX goes into the file."""

    def __init__(self, account: MboxAccount, folder: Folder) -> None:
        super().__init__(account, folder)
        self._mbox_account = account

    async def _transfer(self, uids: Collection[int], target: str, *, is_move: bool) -> Copied:
        with self._account.mending(target):
            folder = await self._account.folder(target)
            if not (isinstance(folder, Inbox) or isinstance(self._folder, Inbox)):
                return await super()._transfer(uids, target, is_move=is_move)
            copied = await self._carry(sorted(set(uids)), folder)
            if is_move:
                await self._remove(copied.source, lambda entry: True)
        self._look()
        return copied

    async def _carry(self, uids: Sequence[int], folder: Folder) -> Copied:
        rows = self._folder.rows
        if sum(rows[uid].entry.size for uid in uids if uid in rows) > _MOST_CARRIED:
            raise OverQuota("too much at once")
        source: list[int] = []
        messages: list[NewMessage] = []
        for uid in uids:
            row, data = rows.get(uid), await self.content(uid)
            if row is not None and data is not None:
                source.append(uid)
                messages.append(NewMessage(data, row.entry.flags, row.entry.internal_date))
        if not source:
            return Copied(folder.uid_validity, (), ())
        made = await deposit(self._mbox_account, folder, messages)
        return Copied(folder.uid_validity, tuple(source), made.uids)


class MboxMailbox(BesideMbox):
    """Made by `MboxStore.open`."""

    def __init__(self, account: MboxAccount, folder: Inbox) -> None:
        super().__init__(account, folder)
        self._inbox = folder

    async def content(self, uid: int) -> bytes | None:
        for is_forced in (False, True):
            if is_forced:
                await self._inbox.refresh(is_forced=True, is_patient=True)
            span = self._inbox.spans.get(uid)
            data = None if span is None else await asyncio.to_thread(_content, self._inbox.place, span)
            if data is not None:
                return data
        return None

    def _mark(self, row: Row, flags: frozenset[str], modseq: int) -> bool:
        if flags != row.entry.flags:
            self._folder.update(row.entry.uid, row.name, False, flags, modseq)
        return True

    async def _remove(self, uids: Sequence[int], is_doomed: Callable[[Entry], bool]) -> list[int]:
        await self._inbox.refresh()
        rows = self._inbox.rows
        return await take_out(
            self._inbox, [uid for uid in uids if uid in rows and is_doomed(rows[uid].entry)]
        )


def _content(place: MailPlace, span: Span) -> bytes | None:
    """None: the file has changed since."""
    with access.opened(place) as descriptor:
        data = None if descriptor is None else read(descriptor, span)
    return None if data is None else lineends.to_crlf(data)
