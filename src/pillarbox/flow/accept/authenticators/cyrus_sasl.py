"""`driver = cyrus_sasl` (Exim chapter 36): the Cyrus SASL library. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class CyrusSasl(Authenticator, driver="cyrus_sasl", inert="refused"):
    """Let the Cyrus SASL library judge."""

    server_hostname: Template | None = option(default="$primary_hostname", doc="Our name for the library.")
    server_mech: str | None = option(default=None, doc="Mechanism; unset: public_name.")
    server_realm: Template | None = option(default=None, doc="SASL realm.")
    server_service: str = option(default="smtp", doc="Name of the service.")

    @property
    def is_server(self) -> bool:
        return False
