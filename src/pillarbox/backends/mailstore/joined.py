"""The mail of accounts, read as ourselves, and that of the machine's users, read as they."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.backends.mailstore.maildir.lock import FileLocks
from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.backends.mailstore.remote.store import RemoteStores
from pillarbox.ports.localwork import Actor
from pillarbox.ports.mailstore import MailStore


class JoinedStores:
    """ports.mailstore.MailStores, and mailbox.pop3's `MaildropLocks`."""

    def __init__(self, own: PlacedStores, users: RemoteStores | None) -> None:
        """`users` None: without the root helper everything is read as ourselves."""
        self._own = own
        self._users = users
        self._locks = FileLocks()

    async def open_store(self, home: str, actor: Actor | None = None) -> MailStore:
        if actor is None or self._users is None:
            return await self._own.open_store(home)
        return await self._users.open_store(home, actor)

    async def take(self, home: str, actor: Actor | None = None) -> Callable[[], None] | None:
        if actor is None or self._users is None:
            return self._locks.take(home)
        return await self._users.take_lock(home, actor)

    def close(self) -> None:
        self._own.close()
        if self._users is not None:
            self._users.close()
