"""`driver = spa` (Exim chapter 40): "secure password authentication", Microsoft's NTLM. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class Spa(Authenticator, driver="spa", inert="refused"):
    """Log in by NTLM."""

    client_domain: Template | None = option(default=None, doc="The Windows domain.")
    client_password: Template | None = option(default=None, doc="The password there.")
    client_username: Template | None = option(default=None, doc="The name there.")
    server_password: Template | None = option(default=None, doc="The password of $auth1.")

    @property
    def is_server(self) -> bool:
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.client_username is None) is not (self.client_password is None):
            raise OptionError("one of client_username and client_password cannot be set without the other")
