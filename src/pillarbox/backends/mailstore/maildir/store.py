"""One account's mail in a Maildir: the port's `MailStore`, and `MaildirStores` that opens it.

Every directory operation is one step that a crash cannot halve (mkdir with `cur` last, rename); the index follows.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import apsw

from pillarbox.backends.mailstore import marking, names
from pillarbox.backends.mailstore.maildir import folders, subscriptions
from pillarbox.backends.mailstore.maildir.account import Account, complete, is_incomplete
from pillarbox.backends.mailstore.maildir.appending import append_all
from pillarbox.backends.mailstore.maildir.mailbox import MaildirMailbox
from pillarbox.backends.mailstore.maildir.transfer import Route, transfer
from pillarbox.backends.mailstore.maildir.watch import Watches
from pillarbox.ports.clock import Clock
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import (
    Appended,
    Mailbox,
    MailboxExists,
    MailboxInfo,
    MailboxNameInvalid,
    MailboxStatus,
    MailStore,
    NewMessage,
    NoSuchMailbox,
)

_Result = TypeVar("_Result")


class MaildirStores:
    """All accounts of this process. One per event loop."""

    def __init__(self, clock: Clock, *, host: str = "", watch_limit: int = 4000) -> None:
        """`host` goes into file names; default: this machine's. `watch_limit`: mailboxes watched by inotify at once."""
        self._clock = clock
        self._host = host or socket.gethostname()
        self._watches = Watches(watch_limit)
        self._accounts: dict[str, Account] = {}

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        """As ourselves, whoever the actor is (`joined`). Raises OSError when the directory cannot be made or written."""
        root = os.path.normpath(home)
        account = await self._enter(root, lambda: Account(root, self._clock, self._host, self._watches))
        return MaildirStore(account, self._leave)

    async def _enter(self, root: str, make: Callable[[], Account], key: str = "") -> Account:
        """Used by one more. `key`: what the account is known by, unless that is its root."""
        if is_incomplete(root):
            await asyncio.to_thread(complete, root)
        account = self._accounts.get(key or root)
        if account is None:
            account = self._accounts[key or root] = make()
        account.users += 1
        return account

    def _leave(self, account: Account) -> None:
        account.users -= 1
        if account.users == 0:
            self._accounts = {key: other for key, other in self._accounts.items() if other is not account}
            account.close()

    def close(self) -> None:
        self._watches.close()


class MaildirStore:
    """Made by `MaildirStores.open_store`; opened mailboxes must be closed before it."""

    def __init__(self, account: Account, leave: Callable[[Account], None]) -> None:
        self._account = account
        self._leave = leave
        self._is_closed = False

    async def _steadily(self, name: str, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Once more when the index was lost and has been made anew."""
        for is_last in (False, True):
            try:
                with self._account.mending(name):
                    return await call()
            except NoSuchMailbox as error:
                if is_last or not isinstance(error.__cause__, apsw.Error):
                    raise
        raise NoSuchMailbox(name)

    async def list_mailboxes(self) -> Sequence[MailboxInfo]:
        return await asyncio.to_thread(_listing, self._account.root)

    async def create(self, name: str, special_use: str = "") -> None:
        root, name = self._account.root, names.canonical(name)
        folders.directory_of(name)
        if folders.locate(root, name) is not None:
            raise MailboxExists(name)
        for parent in names.parents(name):
            if folders.locate(root, parent) is None:
                await self._make(parent, "")
        await self._make(name, special_use)

    async def _make(self, name: str, special_use: str) -> None:
        root = self._account.root
        path = os.path.join(root, folders.directory_of(name))

        def make() -> None:
            folders.make(path, is_root=False, special_use=special_use)
            folders.sync_directory(root)

        await asyncio.to_thread(make)

    async def delete(self, name: str) -> None:
        name, directory = self._account.locate(name)
        if name == names.INBOX:
            raise MailboxNameInvalid("INBOX cannot be deleted")

        async def bury() -> str:
            grave = folders.bury(self._account.root, directory)
            await self._account.forget(directory)
            return grave

        grave = await self._steadily(name, bury)
        await asyncio.to_thread(folders.clear, grave)

    async def rename(self, old: str, new: str) -> None:
        new = names.canonical(new)
        old, _ = self._account.locate(old)
        folders.directory_of(new)
        if folders.locate(self._account.root, new) is not None or names.is_beneath(new, old):
            raise MailboxExists(new)
        if old == names.INBOX:
            await self._empty_inbox_into(new)
            return
        for parent in names.parents(new):
            if folders.locate(self._account.root, parent) is None:
                await self._make(parent, "")
        await self._account.moved(self._rename_directories(old, new))

    def _rename_directories(self, old: str, new: str) -> dict[str, str]:
        root = self._account.root
        moves = {
            directory: folders.directory_of(new + name[len(old) :])
            for name, directory in folders.all_folders(root).items()
            if name == old or names.is_beneath(name, old)
        }
        for source, target in moves.items():
            os.rename(os.path.join(root, source), os.path.join(root, target))
        return moves

    async def _empty_inbox_into(self, new: str) -> None:
        await self.create(new)
        source, target = await self._account.folder(names.INBOX), await self._account.folder(new)
        await transfer(Route(self._account, source, target, is_move=True), list(source.rows))

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        name = names.canonical(name)
        before = subscriptions.read(self._account.root)
        after = before | {name} if subscribed else before - {name}
        if after != before:
            await asyncio.to_thread(subscriptions.write, self._account.root, after)

    async def open(self, name: str) -> Mailbox:
        folder = await self._steadily(name, lambda: self._account.folder(name))
        return MaildirMailbox(self._account, folder)

    async def status(self, name: str) -> MailboxStatus:
        folder = await self._steadily(name, lambda: self._account.folder(name))
        entries = folder.entries()
        unseen, deleted, size = marking.totals(entries)
        return MailboxStatus(
            messages=len(entries),
            unseen=unseen,
            deleted=deleted,
            uid_next=folder.uid_next,
            uid_validity=folder.uid_validity,
            highest_modseq=folder.modseq,
            size=size,
            mailbox_id=folder.mailbox_id,
        )

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        return await self._steadily(name, lambda: self._append(name, messages))

    async def _append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        return await append_all(self._account, await self._account.folder(name), messages)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._leave(self._account)


def _listing(root: str) -> list[MailboxInfo]:
    mailboxes = {
        name: folders.special_use(root, name, directory) if directory else ""
        for name, directory in folders.all_folders(root).items()
    }
    return names.listing(mailboxes, subscriptions.read(root))
