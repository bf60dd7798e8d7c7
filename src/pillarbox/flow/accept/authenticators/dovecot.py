"""`driver = dovecot` (Exim chapter 37): ask a Dovecot by its socket. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator


class Dovecot(Authenticator, driver="dovecot", inert="refused"):
    """Let Dovecot judge."""

    server_socket: str | None = option(default=None, doc="Path of its authentication socket.")

    @property
    def is_server(self) -> bool:
        return False
