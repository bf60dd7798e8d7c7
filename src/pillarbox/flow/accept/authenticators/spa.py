"""`driver = spa` (Exim chapter 40): "secure password authentication", Microsoft's NTLM, as server and as client.

The messages are wire/sasl/ntlm.py's. Only version 1 is known, as in Exim: a client that insists on NTLMv2 is refused.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.flow.accept.authenticators.authenticator import Authenticator
from pillarbox.flow.accept.judging import JudgedExchange
from pillarbox.flow.transport.login import CannotAnswer
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.ports.logins import Challenge, Exchange, Failure, Logins, Step
from pillarbox.wire.sasl import ntlm


class Spa(Authenticator, driver="spa"):
    """Log in by NTLM."""

    client_domain: Template | None = option(default=None, doc="The Windows domain.")
    client_password: Template | None = option(default=None, doc="The password there.")
    client_username: Template | None = option(default=None, doc="The name there.")
    server_password: Template | None = option(default=None, doc="The password of $auth1.")

    acts_on = ("server_condition", "server_set_id", "client_condition", "client_set_id")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.client_username is None) is not (self.client_password is None):
            raise OptionError("one of client_username and client_password cannot be set without the other")

    @property
    def is_server(self) -> bool:
        return self.server_password is not None

    @property
    def is_client(self) -> bool:
        return self.client_username is not None

    @property
    def is_same_for_all_messages(self) -> bool:
        return self.are_constant(self.client_username, self.client_password, self.client_domain)

    async def prepare(self, scope: Scope) -> SpaClient | None:
        """Raises ExpansionFailed, ExpansionDeferred."""
        templates = (self.client_password, self.client_username, self.client_domain)
        if (prepared := await self.prepared(scope, *templates)) is None:
            return None
        (password, name, domain), login = prepared
        return SpaClient(name, password, domain, login)

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        return SpaServer(self, scope) if self.is_server else None


class SpaClient:
    """flow.transport.login.ClientExchange."""

    __slots__ = ("_domain", "_name", "_password", "_step", "login")

    def __init__(self, name: str, password: str, domain: str, login: str) -> None:
        self._name, self._password, self._domain = name, password, domain
        self._step = 0
        self.login = login

    def begin(self) -> bytes | None:
        return None

    def answer(self, challenge: bytes) -> bytes:
        self._step += 1
        if self._step == 1:
            return ntlm.request(self._name, self._domain)
        if self._step > 2:
            raise CannotAnswer("NTLM: the server asks once too often")
        try:
            return ntlm.answer(ntlm.read_challenge(challenge), self._name, self._password, self._domain)
        except ntlm.BadMessage as error:
            raise CannotAnswer(f"bad server data: {error}") from error

    @property
    def is_lenient(self) -> bool:
        """The first challenge says nothing, in words: `334 NTLM supported`."""
        return self._step == 0

    def check(self) -> None:
        """The host has nothing to prove."""


class SpaServer(JudgedExchange):
    __slots__ = ("_nonce",)

    driver: Spa

    def __init__(self, driver: Spa, scope: Scope) -> None:
        super().__init__(driver, scope)
        self._nonce = b""

    async def _go_on(self, response: bytes | None) -> Step:
        if response is None:
            return Challenge(b"NTLM supported", is_text=True)
        if not self._nonce:
            self._nonce = os.urandom(8)
            return Challenge(ntlm.challenge(self._nonce))
        try:
            proof = ntlm.read_answer(response)
        except ntlm.BadMessage as error:
            return Failure("credentials", str(error))
        items = [proof.name]
        await self._name(items)
        password = await self._expand(self.driver.server_password, items)
        if not hmac.compare_digest(ntlm.nt_response(password, self._nonce), proof.response):
            return Failure("credentials", "the response is wrong", self._login)
        return await self._judge(items)
