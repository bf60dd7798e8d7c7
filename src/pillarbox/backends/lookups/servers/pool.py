"""Connections to servers, kept for the next lookup and bounded in number.

A connection serves one query at a time. One that the server has closed is not used again; one that was idle for `IDLE_LIMIT` seconds is closed.
More than `MOST_CONNECTIONS` queries at once to a server wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

MOST_CONNECTIONS = 4
"""To one server with one login, in one process."""
MOST_SERVERS = 64
IDLE_LIMIT = 60.0
CONNECT_LIMIT = 15.0
QUERY_LIMIT = 60.0


class Connection(Protocol):
    @property
    def is_usable(self) -> bool: ...

    def close(self) -> None: ...


def is_quiet(descriptor: int) -> bool:
    """Whether a server that was not asked has said nothing: neither that it closes, nor anything else."""
    polled = select.poll()
    polled.register(descriptor, select.POLLIN)
    return not polled.poll(0)


C = TypeVar("C", bound=Connection)
K = TypeVar("K", bound=Hashable)


class _Server(Generic[C]):
    """The connections to one server."""

    __slots__ = ("expiry", "idle", "turns")

    def __init__(self) -> None:
        self.idle: list[C] = []
        self.turns = asyncio.Semaphore(MOST_CONNECTIONS)
        self.expiry: asyncio.TimerHandle | None = None

    def close_idle(self) -> None:
        for connection in self.idle:
            connection.close()
        self.idle.clear()


class Pool(Generic[K, C]):
    """Connections by server. Belongs to the event loop it is used in; another loop starts afresh."""

    def __init__(self, connect: Callable[[K], Awaitable[C]]) -> None:
        self._connect = connect
        self._servers: OrderedDict[K, _Server[C]] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def connection(self, key: K) -> AsyncIterator[C]:
        """A connection for the block. Kept afterwards if it is still usable and the block did not raise anything unexpected."""
        server = self._server(key)
        async with server.turns:
            connection = await self._take(key, server)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(server, connection)

    def _server(self, key: K) -> _Server[C]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._servers.clear()
            self._loop = loop
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = _Server()
            if len(self._servers) > MOST_SERVERS:
                _, oldest = self._servers.popitem(last=False)
                oldest.close_idle()
        self._servers.move_to_end(key)
        return server

    async def _take(self, key: K, server: _Server[C]) -> C:
        while server.idle:
            connection = server.idle.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return await self._connect(key)

    def _give_back(self, server: _Server[C], connection: C) -> None:
        if not connection.is_usable:
            connection.close()
            return
        server.idle.append(connection)
        if server.expiry is not None:
            server.expiry.cancel()
        server.expiry = asyncio.get_running_loop().call_later(IDLE_LIMIT, server.close_idle)
