"""What an IMAP session is given: the ports it asks, and its bounds."""

from __future__ import annotations

import msgspec

from pillarbox.ports.clock import Clock
from pillarbox.ports.journal import Journal
from pillarbox.ports.logins import Logins
from pillarbox.ports.mailstore import MailStores
from pillarbox.wire.imap.limits import Limits


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
