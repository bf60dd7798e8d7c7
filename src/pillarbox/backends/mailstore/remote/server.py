"""The end that is the user: carries out requests on the mail store, and ends with the socket.

It runs in a process of its own that has given up root for good. Requests that may take their time (`Wait`) hold up no others.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, assert_never

import msgspec

from pillarbox.backends.mailstore.maildir.lock import FileLocks
from pillarbox.backends.mailstore.mbox.store import PlacedStores
from pillarbox.backends.mailstore.remote import requests as ask
from pillarbox.backends.mailstore.remote.frames import BrokenFrames, Frames
from pillarbox.ports.clock import Clock
from pillarbox.ports.mailstore import (
    Mailbox,
    MailboxBusy,
    MailboxExists,
    MailboxNameInvalid,
    MailboxReadOnly,
    MailStore,
    NoSuchMailbox,
    OverQuota,
)

ERRORS = {
    kind.__name__: kind
    for kind in (MailboxBusy, MailboxExists, MailboxNameInvalid, MailboxReadOnly, NoSuchMailbox, OverQuota)
}
_MOST_TASKS = 1000
"""Requests under way: more are not read."""


def serve(channel: socket.socket, home: str, clock: Clock) -> None:
    """Until the other end closes. `home`: where the mail is (ports.mailplace)."""
    os.umask(0o077)
    asyncio.run(serve_channel(channel, home, clock))


async def serve_channel(channel: socket.socket, home: str, clock: Clock) -> None:
    channel.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    frames, stores = Frames(reader, writer), PlacedStores(clock)
    try:
        try:
            store = await stores.open_store(home)
        except Exception as error:
            await frames.write(0, ask.encode(_failure(error)))
            return
        await frames.write(0, ask.encode(ask.Answer()))
        await Server(frames, store, home).run()
    except (BrokenFrames, OSError, msgspec.DecodeError):
        return
    finally:
        frames.close()
        stores.close()


def _failure(error: Exception) -> ask.Answer:
    name = type(error).__name__
    if isinstance(error, OSError):
        return ask.Answer(error="OSError", text=str(error.strerror or error), code=error.errno or 5)
    return ask.Answer(error=name if name in ERRORS else "fault", text=str(error) or name)


class Server:
    def __init__(self, frames: Frames, store: MailStore, home: str) -> None:
        self._frames = frames
        self._store = store
        self._home = home
        self._boxes: dict[int, Mailbox] = {}
        self._opened = 0
        self._unlock: Callable[[], None] | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Raises what `Frames` and decoding do."""
        try:
            while (message := await self._frames.read()) is not None:
                number, data = message
                request = ask.parse_request(data)
                if isinstance(request, ask.Forget):
                    if (forgotten := self._tasks.get(request.number)) is not None:
                        forgotten.cancel()
                    continue
                if len(self._tasks) >= _MOST_TASKS or number in self._tasks:
                    raise BrokenFrames
                self._tasks[number] = asyncio.ensure_future(self._answer(number, request))
        finally:
            tasks = tuple(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for box in self._boxes.values():
                box.close()
            self._drop_lock()
            self._store.close()

    async def _answer(self, number: int, request: ask.Request) -> None:
        try:
            try:
                answer = ask.Answer(msgspec.Raw(ask.encode(await self._do(request))))
            except Exception as error:  # a fault in one request is not the end of the others
                answer = _failure(error)
            await self._frames.write(number, ask.encode(answer))
        except OSError:
            return
        finally:
            self._tasks.pop(number, None)

    async def _do(self, request: ask.Request) -> Any:
        store = self._store
        match request:
            case ask.Listing():
                return tuple(await store.list_mailboxes())
            case ask.Create():
                await store.create(request.name, request.special_use)
            case ask.Delete():
                await store.delete(request.name)
            case ask.Rename():
                await store.rename(request.old, request.new)
            case ask.Subscribe():
                await store.set_subscribed(request.name, request.subscribed)
            case ask.Status():
                return await store.status(request.name)
            case ask.Append():
                return await store.append(request.name, request.messages)
            case ask.Open():
                return self._show(await store.open(request.name))
            case ask.TakeLock():
                return self._take_lock()
            case ask.DropLock():
                self._drop_lock()
            case ask.Forget():
                return None
            case _:
                return await self._do_in(self._boxes[request.box], request)
        return None

    async def _do_in(
        self,
        box: Mailbox,
        request: ask.Close
        | ask.Refresh
        | ask.Content
        | ask.StoreFlags
        | ask.Expunge
        | ask.Transfer
        | ask.Wait,
    ) -> Any:
        match request:
            case ask.Close():
                del self._boxes[request.box]
                box.close()
                return None
            case ask.Refresh():
                await box.refresh()
                return _view(box, request.since)
            case ask.Content():
                return await box.content(request.uid)
            case ask.StoreFlags():
                result = await box.store_flags(
                    request.uids, request.action, request.flags, unchanged_since=request.unchanged_since
                )
                return result, _view(box, request.since)
            case ask.Expunge():
                return await box.expunge(request.uids), _view(box, request.since)
            case ask.Transfer():
                transfer = box.move_to if request.is_move else box.copy_to
                return await transfer(request.uids, request.target), _view(box, request.since)
            case ask.Wait():
                return await box.wait_for_change(request.timeout)
        assert_never(request)

    def _show(self, box: Mailbox) -> ask.Opened:
        self._opened += 1
        self._boxes[self._opened] = box
        return ask.Opened(
            self._opened,
            box.name,
            box.mailbox_id,
            box.uid_validity,
            box.uid_next,
            box.highest_modseq,
            tuple(box.entries()),
        )

    def _take_lock(self) -> bool:
        if self._unlock is None:
            self._unlock = FileLocks().take(self._home)
            return self._unlock is not None
        return False

    def _drop_lock(self) -> None:
        unlock, self._unlock = self._unlock, None
        if unlock is not None:
            unlock()


def _view(box: Mailbox, since: int) -> ask.View:
    changes = box.changes_since(since)
    return ask.View(box.name, box.uid_next, changes.highest_modseq, changes.changed, changes.expunged)
