"""A command to speak with, as one speaks over a connection (LMTP over a pipe): its standard input and output are one socket.

When it ends, however it began, the connection does; so nothing else needs to be told. When the connection is closed it gets a moment to end by
itself, and is killed with its session then.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

from pillarbox.ports.localwork import CommandWork
from pillarbox.system.connection import SocketConnection
from pillarbox.system.helper.commands import Starter, request_of

LINGER = 5.0
"""Seconds that it may go on behind the end of the conversation."""

Hold = Callable[[Callable[[Starter], Awaitable[None]]], Awaitable[None]]
"""Finds somebody who can start it, and calls with them."""

_held: set[asyncio.Task[None]] = set()
"""The loop itself keeps no task alive."""


class Conversation(SocketConnection):
    """ports.network.Connection."""

    __slots__ = ("over",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.over = asyncio.Event()

    def close(self) -> None:
        self.over.set()
        super().close()


async def converse(work: CommandWork, hold: Hold) -> Conversation:
    """The command has been asked for; whether it could be run shows in what it says. Raises WorkRefused."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    _, conversation = await loop.create_connection(lambda: Conversation(loop), sock=ours)
    begun: asyncio.Future[None] = loop.create_future()
    task = asyncio.ensure_future(hold(lambda starter: _talk(starter, work, theirs, conversation, begun)))
    _held.add(task)
    task.add_done_callback(lambda done: _let_go(done, theirs, conversation))
    await asyncio.wait([begun, task], return_when=asyncio.FIRST_COMPLETED)
    if not begun.done():
        task.result()
    return conversation


async def _talk(
    starter: Starter,
    work: CommandWork,
    theirs: socket.socket,
    conversation: Conversation,
    begun: asyncio.Future[None],
) -> None:
    begun.set_result(None)
    its_end = os.dup(theirs.fileno())
    running = asyncio.ensure_future(starter.run(request_of(work), (theirs.fileno(), its_end)))
    over = asyncio.ensure_future(conversation.over.wait())
    try:
        await asyncio.wait([running, over], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait([running], timeout=LINGER)
        if not running.done():
            starter.kill()
        await running
    finally:
        over.cancel()
        os.close(its_end)


def _let_go(task: asyncio.Task[None], theirs: socket.socket, conversation: Conversation) -> None:
    """Now the connection ends too."""
    _held.discard(task)
    theirs.close()
    if not task.cancelled() and task.exception() is not None:
        conversation.close()
