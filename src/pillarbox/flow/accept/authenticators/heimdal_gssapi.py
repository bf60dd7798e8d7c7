"""`driver = heimdal_gssapi` (Exim chapter 39): Kerberos by the Heimdal library. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class HeimdalGssapi(Authenticator, driver="heimdal_gssapi", inert="refused"):
    """Let Kerberos judge."""

    server_hostname: Template | None = option(default="$primary_hostname", doc="Our name in Kerberos.")
    server_keytab: Template | None = option(default=None, doc="File with our keys.")
    server_service: Template | None = option(default="smtp", doc="Name of the service.")

    @property
    def is_server(self) -> bool:
        return False
