"""Asking servers: one thing (connect, write the request, read to the end; `${readsocket}`, Exim 11.5), or line by line (Dovecot's logins)."""

from __future__ import annotations

from typing import Protocol

import msgspec


class SocketTrouble(Exception):
    """No answer; `str()` says why in Exim's words."""


class SocketWish(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where to and how. Either `path` (UNIX) or `host` and `port`."""

    path: str = ""
    host: str = ""
    """A name or an address; each address of a name is tried in turn."""
    port: str = ""
    """A number or a service's name."""
    request: bytes = b""
    shuts_down: bool = True
    """End our side once the request is written; never with TLS."""
    tls: bool = False
    server_name: str = ""
    is_udp: bool = False
    """One datagram there and one back."""


class Talk(Protocol):
    """A connection on which lines go to and fro. It ends by itself when its time is over, however it is used."""

    def send(self, data: bytes) -> None:
        """What cannot be sent shows when the answer is read."""
        ...

    async def line(self) -> bytes:
        """The next line, without its end. Raises SocketTrouble: they have closed, it takes too long, it is too long."""
        ...

    def close(self) -> None: ...


class Sockets(Protocol):
    async def open(self, path: str, *, timeout: float, lifetime: float) -> Talk:
        """A UNIX socket. `timeout` bounds the connecting and each line, `lifetime` the whole (seconds). Raises SocketTrouble."""
        ...

    async def tell(self, host: str, port: int, data: bytes) -> None:
        """By one datagram, which may get lost. Raises SocketTrouble when no address is found for the host."""
        ...

    async def ask(self, wish: SocketWish, *, timeout: float, limit: int) -> bytes:
        """All that the server says. Raises SocketTrouble."""
        ...
