"""What a POP3 session is given: the ports it asks, and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.localwork import Actor
from pillarbox.ports.logins import Logins
from pillarbox.ports.mailstore import MailStores
from pillarbox.wire.pop3.engine import Limits


class MaildropLocks(Protocol):
    """RFC 1939 §4: one session a maildrop, over all workers."""

    async def take(self, home: str, actor: Actor | None = None) -> Callable[[], None] | None:
        """How to give the lock back; None when another session holds it. Raises OSError."""
        ...


class MemoryLocks:
    """For one process."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    async def take(self, home: str, actor: Actor | None = None) -> Callable[[], None] | None:
        if home in self._held:
            return None
        self._held.add(home)
        return lambda: self._held.discard(home)


class Settings(msgspec.Struct, frozen=True):
    """Times in seconds."""

    limits: Limits = Limits()
    host_name: str = "localhost"
    can_start_tls: bool = True
    """A certificate is there: offer STLS on clear connections."""
    login_timeout: float = 60.0
    """From connecting to being logged in."""
    idle_timeout: float = 600.0
    """Auto-logout without UPDATE; RFC 1939 §3 asks for 10 minutes at least."""
    write_timeout: float = 300.0
    tls_timeout: float = 30.0
    most_errors: int = 10
    """Refused commands, in all."""
    most_failed_logins: int = 3


class Services(msgspec.Struct, frozen=True):
    """The ports a session works with."""

    logins: Logins
    stores: MailStores
    locks: MaildropLocks
    clock: Clock
    journal: Journal
