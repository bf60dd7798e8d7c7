"""The connection that inetd has taken and given us as standard input (`exim -bs`, Exim 5.3 and 4.1).

It is served as the daemon serves its own, TLS included. What else may stand there, a pipe or a file, is stdio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

from pillarbox.ports.network import DialError
from pillarbox.system.connection import SocketConnection
from pillarbox.system.server_tls import ServerTls

PARTING = 2.0
"""Seconds for last words to go out, and for the client to close TLS."""


class InheritedConnection(SocketConnection):
    """ports.network.ServedConnection; the process ends with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server_tls: Callable[[], ServerTls | None]) -> None:
        super().__init__(loop, server_tls)
        self._is_over = asyncio.Event()
        self.was_lost = False
        """It ended, or nothing came any more, while something was waited for."""

    async def read(self, timeout: float) -> bytes:
        try:
            data = await super().read(timeout)
        except DialError:
            self.was_lost = True
            raise
        self.was_lost = not data
        return data

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._is_over.set()

    async def parted(self) -> None:
        """Behind `close`: when all has been sent."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), PARTING)


async def inherited_connection(
    server_tls: Callable[[], ServerTls | None], descriptor: int = 0, *, begins_with_tls: bool = False
) -> InheritedConnection | None:
    """None: the descriptor is no connection by TCP."""
    given = _connected_socket(descriptor)
    if given is None:
        return None
    loop = asyncio.get_running_loop()
    made = InheritedConnection(loop, server_tls)
    made.begins_with_tls = begins_with_tls
    given.setblocking(False)
    await loop.connect_accepted_socket(lambda: made, given)
    return made


def _connected_socket(descriptor: int) -> socket.socket | None:
    try:
        given = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if given.family in (socket.AF_INET, socket.AF_INET6) and given.type == socket.SOCK_STREAM:
            given.getpeername()
            return given
    given.close()
    return None
