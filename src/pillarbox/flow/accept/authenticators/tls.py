"""`driver = tls` (Exim chapter 41): a client is logged in by its certificate, without AUTH. Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.language.expand.template import Template


class Tls(Authenticator, driver="tls", inert="refused"):
    """Log in by certificate."""

    server_param: Template | None = option(default=None, doc="The same as server_param1.")
    server_param1: Template | None = option(default=None, doc="What becomes $auth1.")
    server_param2: Template | None = option(default=None, doc="What becomes $auth2.")
    server_param3: Template | None = option(default=None, doc="What becomes $auth3.")

    usual_public_name = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        first = self.server_param1 if self.server_param is None else self.server_param
        object.__setattr__(self, "server_param", first)
        object.__setattr__(self, "server_param1", first)

    @property
    def is_server(self) -> bool:
        return False
