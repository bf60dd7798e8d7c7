"""`socks_proxy`: connecting by way of a SOCKS 5 proxy (Exim 59.2).

The proxies are tried by priority, and within one in an order that chance and their weights give, until one connects.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from pillarbox.config.kinds import parse_integer
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.language.match.items import split
from pillarbox.ports.network import Connection, DialError, Network, SocketWish
from pillarbox.wire import socks
from pillarbox.wire.socks import SocksRefused


class Proxy(msgspec.Struct, frozen=True):
    address: str
    port: int = 1080
    login: str = ""
    password: str = ""
    has_login: bool = False
    timeout: float = 5.0
    priority: int = 1
    weight: int = 1

    def __repr__(self) -> str:
        return f"Proxy({self.address}:{self.port})"


def parse_proxies(text: str) -> tuple[Proxy, ...]:
    """A list of lists: address and options. Raises ValueError."""
    return tuple(_proxy(item) for item, _ in split(text) if item.strip())


def _proxy(item: str) -> Proxy:
    address, *options = item.split()
    given: dict[str, object] = {}
    for option in options:
        name, equals, value = option.partition("=")
        match name:
            case "auth" if value in ("none", "name"):
                given["has_login"] = value == "name"
            case "name":
                given["login"] = value
            case "pass":
                given["password"] = value
            case "port" | "tmo" | "pri" | "weight":
                field = {"tmo": "timeout", "pri": "priority"}.get(name, name)
                given[field] = parse_integer(value)
            case _:
                raise ValueError(f"bad option for a SOCKS proxy: {name}{equals}")
    return msgspec.convert({"address": address, **given}, Proxy)


def in_order(proxies: Sequence[Proxy], chance: Random) -> list[Proxy]:
    """Highest priority first; heavier ones are more often in front."""
    return sorted(
        proxies, key=lambda proxy: (-proxy.priority, -math.log(1 - chance.random()) / max(proxy.weight, 1))
    )


async def connect_by(
    proxies: Sequence[Proxy],
    target: Target,
    network: Network,
    socket: SocketWish | None,
    note: Callable[[str], None] | None,
) -> tuple[Connection, Proxy]:
    """A connection to the host, as if it were direct, and by whom. `note`: for the log. Raises DialError: the last answer, or that all are
    busy where none could be reached."""
    last = DialError("busy", os.strerror(errno.EBUSY))
    for proxy in in_order(proxies, Random()):
        try:
            connection = await network.connect(
                proxy.address,
                proxy.port,
                timeout=proxy.timeout,
                interface=target.interface,
                socket=socket,
            )
        except DialError as error:
            if note is not None:
                note(f"socks_sock_connect: {error}")
            continue
        try:
            await _ask(connection, proxy, target.address, target.port)
        except DialError as error:
            last = error
        except (SocksRefused, ValueError) as error:
            last = DialError("refused", str(error))
        else:
            return connection, proxy
        connection.close()
    raise last


async def _ask(connection: Connection, proxy: Proxy, address: str, port: int) -> None:
    """Raises DialError, SocksRefused, ValueError."""
    reading = _Reading(connection, proxy.timeout)
    await connection.write(socks.greeting(has_login=proxy.has_login), proxy.timeout)
    socks.check_method(await reading.take(2), has_login=proxy.has_login)
    if proxy.has_login:
        await connection.write(socks.login(proxy.login, proxy.password), proxy.timeout)
        socks.check_login(await reading.take(2))
    await connection.write(socks.connect(address, port), proxy.timeout)
    await reading.take(socks.rest_of_reply(await reading.take(4)))
    connection.unread(reading.held)


class _Reading:
    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self.held = b""
        """What has come behind: the host's first words."""

    async def take(self, count: int) -> bytes:
        """Raises DialError."""
        while len(self.held) < count:
            data = await self._connection.read(self._timeout)
            if not data:
                raise DialError("lost_connection", "the SOCKS proxy has hung up")
            self.held += data
        taken, self.held = self.held[:count], self.held[count:]
        return taken
