"""Both ways into mailboxes as one port: plain Maildirs written by ourselves, and whatever `ports.localwork` writes. Durable means: both."""

from __future__ import annotations

import asyncio

from pillarbox.ports.localwork import LocalWork, WorkRefused
from pillarbox.ports.userfiles import DeliveryFailure, MaildirDelivery, UserFiles


class JoinedUserFiles:
    __slots__ = ("_own", "_work")

    def __init__(self, own: UserFiles, work: LocalWork) -> None:
        self._own = own
        self._work = work

    def deliver_maildir(self, delivery: MaildirDelivery) -> str:
        return self._own.deliver_maildir(delivery)

    async def deliver_large_maildir(self, delivery: MaildirDelivery) -> str:
        return await self._own.deliver_large_maildir(delivery)

    async def sync(self) -> None:
        await asyncio.gather(self._own.sync(), self._sync_work())

    async def _sync_work(self) -> None:
        try:
            await self._work.sync()
        except (WorkRefused, OSError) as error:
            raise DeliveryFailure(f"sync: {error}") from error
