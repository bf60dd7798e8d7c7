"""Outgoing connections: ports.network.Network on the running loop."""

from __future__ import annotations

import asyncio
import errno
import time

from pillarbox.ports.network import DialError, SocketWish, TlsWish
from pillarbox.system.connection import SocketConnection
from pillarbox.system.interfaces import read_local_addresses

INTERFACES_EVERY = 10.0
"""Seconds between two looks at the machine's addresses."""


class SystemNetwork:
    """ports.network.Network."""

    def __init__(self) -> None:
        self._addresses: frozenset[str] = frozenset()
        self._looked_at = -INTERFACES_EVERY

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout: float,
        interface: str = "",
        tls: TlsWish | None = None,
        socket: SocketWish | None = None,
    ) -> SocketConnection:
        loop = asyncio.get_running_loop()
        local = (interface, 0) if interface else None
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(
                    lambda: SocketConnection(loop), address, port, local_addr=local
                )
        except TimeoutError as error:
            raise DialError("timeout_connect", "Connection timed out") from error
        except OSError as error:
            raise _dial_error(error) from error
        if socket is not None:
            connection.shape(keepalive=socket.keepalive, dscp=socket.dscp)
        if tls is not None:
            await connection.start_tls(tls, timeout)
        return connection

    async def connect_unix(self, path: str, *, timeout: float) -> SocketConnection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_unix_connection(lambda: SocketConnection(loop), path)
        except TimeoutError as error:
            raise DialError("timeout_connect", f"{path}: no answer for {timeout:.0f} s") from error
        except OSError as error:
            raise _dial_error(error) from error
        return connection

    def local_addresses(self) -> frozenset[str]:
        now = time.monotonic()
        if now - self._looked_at >= INTERFACES_EVERY:
            self._looked_at = now
            self._addresses = read_local_addresses()
        return self._addresses


def _dial_error(error: OSError) -> DialError:
    text = error.strerror or str(error)
    match error.errno:
        case errno.ECONNREFUSED:
            return DialError("refused", "Connection refused")
        case errno.ETIMEDOUT:
            return DialError("timeout_connect", "Connection timed out")
        case errno.ECONNRESET | errno.ECONNABORTED | errno.EPIPE:  # there was a connection
            return DialError("lost_connection", text)
        case errno.ENETUNREACH:
            return DialError("net_unreachable", text)
        case errno.EADDRNOTAVAIL:
            return DialError("not_our_address", text)
        case _:
            return DialError("unreachable", text)
