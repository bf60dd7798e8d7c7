"""`driver = external` (Exim chapter 42, RFC 4422): who the client is, TLS has proved. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class External(Authenticator, driver="external", inert="refused"):
    """Believe what TLS has proved."""

    server_param2: Template | None = option(default=None, doc="What becomes $auth2.")
    server_param3: Template | None = option(default=None, doc="What becomes $auth3.")
    client_send: Template | None = option(default=None, doc="Who we want to be there.")

    @property
    def is_server(self) -> bool:
        return False
