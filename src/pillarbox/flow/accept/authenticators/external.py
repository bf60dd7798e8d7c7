"""`driver = external` (Exim chapter 41, RFC 4422): the client only says who it is; what proves it (a certificate) `server_condition` knows."""

from __future__ import annotations

from collections.abc import Mapping

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.authenticators.plaintext import PlaintextClient
from pillarbox.flow.accept.judging import JudgedExchange, bytes_of, text_of
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.logins import Challenge, Exchange, Logins, Step


class External(Authenticator, driver="external"):
    """Believe what TLS has proved."""

    server_param2: Template | None = option(default=None, doc="What becomes $auth2.")
    server_param3: Template | None = option(
        default=None, doc="What becomes $auth3; heeded only with server_param2."
    )
    client_send: Template | None = option(default=None, doc="Who we want to be there.")

    acts_on = ("server_condition", "server_set_id", "client_condition", "client_set_id")

    @property
    def is_server(self) -> bool:
        return self.server_condition is not None

    @property
    def is_client(self) -> bool:
        return self.client_send is not None

    @property
    def is_same_for_all_messages(self) -> bool:
        return self.are_constant(self.client_send)

    async def prepare(self, scope: Scope) -> PlaintextClient | None:
        """Raises ExpansionFailed, ExpansionDeferred."""
        if (prepared := await self.prepared(scope, self.client_send)) is None:
            return None
        (identity,), login = prepared
        return PlaintextClient([bytes_of(identity)], login)

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        return ExternalServer(self, scope) if self.is_server else None


class ExternalServer(JudgedExchange):
    __slots__ = ()

    driver: External

    async def _go_on(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"")
        items = text_of(response).split("\0")
        if self.driver.server_param2 is not None:
            items[1:] = [await self._expand(self.driver.server_param2, items)]
            if self.driver.server_param3 is not None:
                items.append(await self._expand(self.driver.server_param3, items))
        return await self._judge(items)
