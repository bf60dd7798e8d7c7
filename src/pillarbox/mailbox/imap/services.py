"""What an IMAP session is given: the connection's shape, the ports it asks, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.logins import Logins
from pillarbox.ports.mailstore import MailStores
from pillarbox.wire.imap.limits import Limits


class ClientConnection(Protocol):
    """A connection that a client has made: as ports.network.Connection, seen from the server. Raises DialError alike."""

    @property
    def tls_cipher(self) -> str: ...

    @property
    def peer_address(self) -> tuple[str, int]: ...

    async def read(self, timeout: float) -> bytes: ...

    async def write(self, data: bytes, timeout: float) -> None: ...

    async def start_tls_server(self, timeout: float) -> None: ...

    def channel_bindings(self) -> Mapping[str, bytes]:
        """By type name (RFC 5929); empty without TLS."""
        ...

    def close(self) -> None:
        """What was written still goes out."""
        ...


class Settings(msgspec.Struct, frozen=True):
    """Times in seconds."""

    limits: Limits = Limits()
    host_name: str = "localhost"
    can_start_tls: bool = True
    """A certificate is there: offer STARTTLS on clear connections."""
    login_timeout: float = 60.0
    """From connecting to being logged in."""
    idle_timeout: float = 1800.0
    """Auto-logout; RFC 9051 §5.4 asks for 30 minutes at least."""
    write_timeout: float = 300.0
    tls_timeout: float = 30.0
    keepalive: float = 290.0
    """Between two signs of life during IDLE, so that NAT boxes remember the connection."""
    most_errors: int = 20
    """BAD answers in a row; before login and for failed logins: in all, and half as many."""


class Services(msgspec.Struct, frozen=True):
    """The ports a session works with."""

    logins: Logins
    stores: MailStores
    clock: Clock
    journal: Journal
