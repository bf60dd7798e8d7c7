"""`driver = gsasl` (Exim chapter 38): the GNU SASL library. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class GSasl(Authenticator, driver="gsasl", inert="refused"):
    """Let the GNU SASL library log in and judge."""

    client_authz: Template | None = option(
        default=None, doc="Who we want to be there; unset: client_username."
    )
    client_channelbinding: bool = option(default=False, doc="Bind to the TLS connection.")
    client_password: Template | None = option(default=None, doc="The password there.")
    client_spassword: Template | None = option(
        default=None, doc="The salted password for SCRAM, in hexadecimal."
    )
    client_username: Template | None = option(default=None, doc="The name there.")
    server_channelbinding: bool = option(default=False, doc="Bind to the TLS connection.")
    server_hostname: Template | None = option(default="$primary_hostname", doc="Our name for the library.")
    server_key: Template | None = option(default=None, doc="ServerKey of SCRAM for $auth1, base64.")
    server_mech: str | None = option(default=None, doc="Mechanism; unset: public_name.")
    server_password: Template | None = option(default=None, doc="The password of $auth1.")
    server_realm: Template | None = option(default=None, doc="SASL realm.")
    server_scram_iter: Template | None = option(
        default="4096", doc="Iterations of SCRAM; negative: those must be kept."
    )
    server_scram_salt: Template | None = option(default=None, doc="Salt of SCRAM for $auth1, base64.")
    server_service: str = option(default="smtp", doc="Name of the service.")
    server_skey: Template | None = option(default=None, doc="StoredKey of SCRAM for $auth1, base64.")

    @property
    def is_server(self) -> bool:
        return False
