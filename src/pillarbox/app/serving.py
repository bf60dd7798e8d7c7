"""From an accepted connection to a session: one task a connection, limits, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import Protocol

from pillarbox.app.counts import Counts
from pillarbox.ports.journal import Journal
from pillarbox.ports.network import DialError
from pillarbox.system.connection import SocketConnection
from pillarbox.system.listen import BACKLOG
from pillarbox.system.server_tls import ServerTls, current_certificate

HANDSHAKE_TIMEOUT = 30.0


class Session(Protocol):
    """SMTP, IMAP and POP3 sessions alike."""

    async def run(self) -> None: ...


MakeSession = Callable[[SocketConnection, bool], Session]
"""(connection, TLS from the start) → session."""


class Limits:
    """How many connections there may be, over all workers; shared by the ports of one protocol. A reload may change the figures."""

    __slots__ = ("_counts", "most", "most_per_address", "name", "refusals", "rule", "waiting")

    def __init__(self, counts: Counts, most: int, most_per_address: int) -> None:
        """0: no limit."""
        self._counts = counts
        self.most = most
        self.most_per_address = most_per_address
        self.rule: Callable[[SocketConnection], Awaitable[int]] | None = None
        """Says how many there may be from the client's address, where that depends on the client."""
        self.waiting = 0
        """Connections to this worker for which the rule is being asked."""
        self.refusals = (b"", b"")
        """What a client too many hears, in clear; and one that has too many connections."""
        self.name: Callable[[SocketConnection], str] = _usual_name
        """What the log calls a client that is refused; empty: it is not logged."""
        counts.clear()

    @property
    def are_all_taken(self) -> bool:
        return bool(self.most) and self._counts.in_all() + self.waiting >= self.most

    def take(self, address: str, most_per_address: int | None = None) -> bool:
        """Whether there is a place; it is taken then."""
        most_here = self.most_per_address if most_per_address is None else most_per_address
        if self.are_all_taken or (most_here and self._counts.of(address) >= most_here):
            return False
        self._counts.add(address)
        return True

    def in_all(self) -> int:
        """Connections now."""
        return self._counts.in_all()

    def give_back(self, address: str) -> None:
        self._counts.remove(address)


def _usual_name(connection: SocketConnection) -> str:
    return f"[{connection.peer_address[0]}]"


class Service:
    """One listening port at work. `make` builds the session with the configuration of the moment."""

    def __init__(
        self,
        make: MakeSession,
        limits: Limits,
        journal: Journal,
        server_tls: Callable[[], ServerTls | None],
        *,
        is_tls: bool,
        sessions_shake_hands: bool = False,
    ) -> None:
        """`sessions_shake_hands`: where there is TLS from the start it is the session that begins it, which knows more of the client."""
        self._make = make
        self._sessions_shake_hands = sessions_shake_hands and is_tls
        self._limits = limits
        self._journal = journal
        self._server_tls = server_tls
        self._is_tls = is_tls
        self._loop = asyncio.get_running_loop()
        self.tasks: dict[asyncio.Task[None], Session | None] = {}

    def protocol(self) -> asyncio.Protocol:
        """The factory for `loop.create_server`."""
        return _Accepted(self._loop, self._server_tls, self._begin, waits=self._sessions_shake_hands)

    async def listen(self, listening: socket.socket) -> asyncio.Server:
        """Serve from now on. TLS ports do the handshake before a session is made."""
        if not self._is_tls or self._sessions_shake_hands or self._server_tls() is None:
            return await self._loop.create_server(self.protocol, sock=listening, backlog=BACKLOG)
        context = current_certificate(self._server_tls)
        return await self._loop.create_server(
            self.protocol,
            sock=listening,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
        )

    def _begin(self, connection: SocketConnection) -> None:
        address = connection.peer_address[0]
        limits = self._limits
        rule = limits.rule
        if rule is None:
            if not limits.take(address):
                self._refuse(connection)
                return
            task = self._loop.create_task(self._run(connection, address))
        elif limits.are_all_taken:
            self._refuse(connection)
            return
        else:
            limits.waiting += 1
            task = self._loop.create_task(self._ask_and_run(connection, address, rule))
        self.tasks[task] = None

    async def _ask_and_run(
        self,
        connection: SocketConnection,
        address: str,
        rule: Callable[[SocketConnection], Awaitable[int]],
    ) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        most = None
        try:
            most = await rule(connection)
        finally:
            self._limits.waiting -= 1
            if most is None:
                connection.close()
                self.tasks.pop(task, None)
        if self._limits.take(address, most):
            await self._run(connection, address)
        else:
            self._refuse(connection)
            self.tasks.pop(task, None)

    def _refuse(self, connection: SocketConnection) -> None:
        limits = self._limits
        are_all_taken = limits.are_all_taken
        connection_name = limits.name(connection)
        words = limits.refusals[0 if are_all_taken else 1]
        connection.refuse(words if not self._is_tls else b"")
        if connection_name:
            why = "too many connections" if are_all_taken else "too many connections from that IP address"
            self._journal.main(f"Connection from {connection_name} refused: {why}")

    async def _run(self, connection: SocketConnection, address: str) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        try:
            session = self.tasks[task] = self._make(connection, self._is_tls)
            await session.run()
        except DialError:
            return
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._journal.panic(
                f"connection from [{address}] broke off: {type(error).__name__}: {error} "
                f"({place.filename}:{place.lineno})"
            )
        finally:
            connection.close()
            self._limits.give_back(address)
            self.tasks.pop(task, None)


class _Accepted(SocketConnection):
    """Calls `begin` once the transport is there."""

    __slots__ = ("_begin",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server_tls: Callable[[], ServerTls | None],
        begin: Callable[[SocketConnection], None],
        *,
        waits: bool = False,
    ) -> None:
        """`waits`: for `start_tls_server`; the client's first bytes belong to the handshake."""
        super().__init__(loop, server_tls)
        self.begins_with_tls = waits
        self._begin: Callable[[SocketConnection], None] | None = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        begin, self._begin = self._begin, None
        if begin is not None:
            begin(self)
