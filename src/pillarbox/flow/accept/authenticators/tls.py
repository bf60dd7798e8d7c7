"""`driver = tls` (Exim chapter 42): a client is logged in by its certificate, without AUTH, as soon as the handshake has ended."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.judging import JudgedExchange
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.logins import Step


class Tls(Authenticator, driver="tls"):
    """Log in by certificate."""

    server_param: Template | None = option(default=None, doc="The same as server_param1.")
    server_param1: Template | None = option(default=None, doc="What becomes $auth1.")
    server_param2: Template | None = option(default=None, doc="What becomes $auth2.")
    server_param3: Template | None = option(default=None, doc="What becomes $auth3.")

    acts_on = ("server_condition", "server_set_id")
    usual_public_name = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        first = self.server_param1 if self.server_param is None else self.server_param
        object.__setattr__(self, "server_param", first)
        object.__setattr__(self, "server_param1", first)

    @property
    def is_server(self) -> bool:
        """Nobody can name it in AUTH."""
        return False

    async def judge(self, scope: Scope) -> Step:
        """`scope`: with the facts of the handshake that has just ended."""
        return await CertificateExchange(self, scope).step(b"")


class CertificateExchange(JudgedExchange):
    """Over in one step."""

    __slots__ = ()

    driver: Tls

    async def _go_on(self, response: bytes | None) -> Step:
        driver, items = self.driver, list[str]()
        for template in (driver.server_param1, driver.server_param2, driver.server_param3):
            if template is not None:
                items.append(await self._expand(template, items))
        return await self._judge(items)
