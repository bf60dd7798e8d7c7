"""The users' stores of this process of ours: who is logged in has a process, which all sessions share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from pillarbox.backends.mailstore.remote import requests as ask
from pillarbox.backends.mailstore.remote.line import Line
from pillarbox.backends.mailstore.remote.mailbox import RemoteMailbox
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import (
    Appended,
    Mailbox,
    MailboxInfo,
    MailboxStatus,
    MailStore,
    NewMessage,
)

OpenChannel = Callable[[Actor, str], socket.socket]
"""(user, where the mail is: ports.mailplace) → our end of the socket of a fresh process. Raises OSError."""
_Key = tuple[Actor, str]


class RemoteStores:
    """Of one event loop."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open_channel = open_channel
        self._lines: dict[_Key, asyncio.Task[Line]] = {}
        self._users: dict[Line, int] = {}

    async def open_store(self, home: str, actor: Actor) -> MailStore:
        """Raises OSError when the user cannot open it either."""
        return RemoteStore(await self._enter((actor, home)), self._leave)

    async def take_lock(self, home: str, actor: Actor) -> Callable[[], None] | None:
        """POP3's, as `MaildropLocks` says."""
        line = await self._enter((actor, home))
        try:
            is_ours: bool = await line.ask(ask.TakeLock(), bool)
        except BaseException:
            self._leave(line)
            raise
        if not is_ours:
            self._leave(line)
            return None

        def unlock() -> None:
            if not line.is_broken:
                line.tell(ask.DropLock())
            self._leave(line)

        return unlock

    async def _enter(self, key: _Key) -> Line:
        task = self._lines.get(key)
        if task is None or (
            task.done() and (task.cancelled() or task.exception() or task.result().is_broken)
        ):
            task = self._lines[key] = asyncio.ensure_future(self._open(key))
        try:
            line = await asyncio.shield(task)
        except OSError:
            if self._lines.get(key) is task:
                del self._lines[key]
            raise
        self._users[line] = self._users.get(line, 0) + 1
        return line

    async def _open(self, key: _Key) -> Line:
        return await Line.open(self._open_channel(*key))

    def _leave(self, line: Line) -> None:
        """With the last session the process ends."""
        self._users[line] -= 1
        if self._users[line]:
            return
        del self._users[line]
        line.close()
        for key, task in list(self._lines.items()):
            if task.done() and not task.cancelled() and not task.exception() and task.result() is line:
                del self._lines[key]

    def close(self) -> None:
        for line in self._users:
            line.close()


class RemoteStore:
    """Made by `RemoteStores.open_store`."""

    def __init__(self, line: Line, leave: Callable[[Line], None]) -> None:
        self._line = line
        self._leave = leave
        self._is_closed = False

    async def list_mailboxes(self) -> Sequence[MailboxInfo]:
        listing: tuple[MailboxInfo, ...] = await self._line.ask(ask.Listing(), tuple[MailboxInfo, ...])
        return listing

    async def create(self, name: str, special_use: str = "") -> None:
        await self._line.ask(ask.Create(name, special_use))

    async def delete(self, name: str) -> None:
        await self._line.ask(ask.Delete(name))

    async def rename(self, old: str, new: str) -> None:
        await self._line.ask(ask.Rename(old, new))

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        await self._line.ask(ask.Subscribe(name, subscribed))

    async def open(self, name: str) -> Mailbox:
        opened: ask.Opened = await self._line.ask(ask.Open(name), ask.Opened)
        return RemoteMailbox(self._line, opened)

    async def status(self, name: str) -> MailboxStatus:
        status: MailboxStatus = await self._line.ask(ask.Status(name), MailboxStatus)
        return status

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Appended:
        appended: Appended = await self._line.ask(ask.Append(name, tuple(messages)), Appended)
        return appended

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._leave(self._line)
