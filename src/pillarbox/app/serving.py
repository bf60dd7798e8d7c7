"""From an accepted connection to a session: one task a connection, limits, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Callable
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

    __slots__ = ("_counts", "most", "most_per_address", "refusal")

    def __init__(self, counts: Counts, most: int, most_per_address: int, refusal: bytes = b"") -> None:
        """0: no limit. `refusal` goes to a client too many, in clear."""
        self._counts = counts
        self.most = most
        self.most_per_address = most_per_address
        self.refusal = refusal
        counts.clear()

    def take(self, address: str) -> bool:
        """Whether there is a place; it is taken then."""
        if self.most and self._counts.in_all() >= self.most:
            return False
        if self.most_per_address and self._counts.of(address) >= self.most_per_address:
            return False
        self._counts.add(address)
        return True

    def in_all(self) -> int:
        """Connections now."""
        return self._counts.in_all()

    def give_back(self, address: str) -> None:
        self._counts.remove(address)


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
        if not self._limits.take(address):
            connection.refuse(self._limits.refusal if not self._is_tls else b"")
            self._journal.main(f"Connection from [{address}] refused: too many connections")
            return
        task = self._loop.create_task(self._run(connection, address))
        self.tasks[task] = None

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
