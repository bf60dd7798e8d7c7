"""A network in which one host is reached over a connection that it has made itself (ATRN, RFC 2645)."""

from __future__ import annotations

from pillarbox.ports.network import Connection, DialError, Network, SocketWish, TlsWish


class TurnedNetwork:
    """ports.network.Network: a connection to that host and port is the one that is there, once."""

    __slots__ = ("_connection", "_network", "_place")

    def __init__(self, network: Network, connection: Connection, address: str, port: int) -> None:
        self._network = network
        self._connection: Connection | None = connection
        self._place = (address, port)

    @property
    def unused(self) -> Connection | None:
        """Nobody has gone on with it."""
        return self._connection

    def is_at(self, address: str, port: int) -> bool:
        """That is the host's place."""
        return (address, port) == self._place

    async def connect(
        self,
        address: str,
        port: int,
        *,
        timeout: float,
        interface: str = "",
        tls: TlsWish | None = None,
        socket: SocketWish | None = None,
    ) -> Connection:
        """Raises DialError."""
        if not self.is_at(address, port):
            return await self._network.connect(
                address, port, timeout=timeout, interface=interface, tls=tls, socket=socket
            )
        connection, self._connection = self._connection, None
        if connection is None:  # nobody listens there: it was the client's own port
            raise DialError("lost_connection", "the customer's connection has ended")
        if tls is not None and not connection.tls_cipher:
            raise DialError("tls", "the customer's connection has no TLS")
        return connection

    async def connect_unix(self, path: str, *, timeout: float) -> Connection:
        """Raises DialError."""
        return await self._network.connect_unix(path, timeout=timeout)

    def local_addresses(self) -> frozenset[str]:
        return self._network.local_addresses()
