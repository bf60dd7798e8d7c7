"""One account's mail with an mbox as INBOX: the port's `MailStore`, and `PlacedStores` that opens any account by what its place says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from pillarbox.backends.mailstore.maildir.account import Account
from pillarbox.backends.mailstore.maildir.store import MaildirStore, MaildirStores
from pillarbox.backends.mailstore.mbox import access
from pillarbox.backends.mailstore.mbox.account import MboxAccount
from pillarbox.backends.mailstore.mbox.inbox import Inbox
from pillarbox.backends.mailstore.mbox.mailbox import BesideMbox, MboxMailbox, deposit
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailplace import MailPlace, parse_place
from pillarbox.ports.mailstore import Appended, Mailbox, MailStore, NewMessage


class PlacedStores(MaildirStores):
    """All accounts of this process, whichever kind of INBOX they have. One per event loop."""

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        """As ourselves. Raises OSError when the Maildir cannot be made or written, or the mbox not read."""
        place = parse_place(home)
        if not place.inbox:
            return await super().open_store(home, actor)
        place = MailPlace(os.path.normpath(place.root), os.path.normpath(place.inbox))

        await asyncio.to_thread(_check, place)

        def make() -> MboxAccount:
            return MboxAccount(place, self._clock, self._host, self._watches)

        account = await self._enter(place.root, make, str(place))
        assert isinstance(account, MboxAccount)
        return MboxStore(account, self._leave)


def _check(place: MailPlace) -> None:
    """What cannot be read, now that it can still be told. Raises OSError."""
    with access.opened(place):
        pass


class MboxStore(MaildirStore):
    """Made by `PlacedStores.open_store`; opened mailboxes must be closed before it."""

    def __init__(self, account: MboxAccount, leave: Callable[[Account], None]) -> None:
        super().__init__(account, leave)
        self._mbox_account = account

    async def open(self, name: str) -> Mailbox:
        folder = await self._steadily(name, lambda: self._account.folder(name))
        if isinstance(folder, Inbox):
            return MboxMailbox(self._mbox_account, folder)
        return BesideMbox(self._mbox_account, folder)

    async def _append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        return await deposit(self._mbox_account, await self._account.folder(name), messages)

    async def _empty_inbox_into(self, new: str) -> None:
        await self.create(new)
        inbox = MboxMailbox(self._mbox_account, await self._mbox_account.inbox())
        try:
            await inbox.move_to([entry.uid for entry in inbox.entries()], new)
        finally:
            inbox.close()
