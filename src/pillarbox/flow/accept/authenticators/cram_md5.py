"""`driver = cram_md5` (Exim chapter 35, RFC 2195): both sides know the password, and it is never sent.

The server sends a challenge; the client answers with its name and the challenge's HMAC-MD5 under the password. As a server, `server_secret`
is expanded with the name in $auth1 (and $1); forced to fail, it means that there is no such user. The password must be kept as it is, which
SCRAM spares: prefer `driver = accounts` where clients know SCRAM.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Literal

from pillarbox.config.declare import option
from pillarbox.flow.accept.authenticators.authenticator import (
    Authenticator,
    AuthItems,
    judged,
    login_of,
    named,
)
from pillarbox.flow.facets.challenge import FixedChallenge
from pillarbox.flow.transport.login import CannotAnswer
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.local_host import LocalHost
from pillarbox.mail.taint import Tainted
from pillarbox.ports.logins import Challenge, Exchange, Failure, Logins, Step, Success
from pillarbox.ports.users import Account

_MAX_RESPONSE = 1024


class CramMd5(Authenticator, driver="cram_md5"):
    """Prove that one knows a password without sending it."""

    server_secret: Template | None = option(
        default=None, doc="The password of $auth1; without it there is no server side."
    )
    client_name: Template | None = option(default=None, doc="The name there; unset: our host name.")
    client_secret: Template | None = option(
        default=None, doc="The password there; without it there is no client side."
    )

    defers_by_force = True
    acts_on = ("server_condition", "server_set_id", "client_condition", "client_set_id")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.client_secret is not None and self.client_name is None:
            object.__setattr__(self, "client_name", Template.parse("$primary_hostname"))

    @property
    def is_server(self) -> bool:
        return self.server_secret is not None

    @property
    def is_client(self) -> bool:
        return self.client_secret is not None

    @property
    def is_same_for_all_messages(self) -> bool:
        return self.are_constant(self.client_name, self.client_secret)

    async def prepare(self, scope: Scope) -> CramMd5Client | None:
        """Raises ExpansionFailed, ExpansionDeferred."""
        if (prepared := await self.prepared(scope, self.client_name, self.client_secret)) is None:
            return None
        (name, secret), login = prepared
        return CramMd5Client(name, secret, login)

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        return CramMd5Server(self, scope) if self.is_server else None


def digest_of(secret: bytes, challenge: bytes) -> str:
    """Lower case hexadecimal (RFC 2195 §2)."""
    return hmac.new(secret, challenge, "md5").hexdigest()


class CramMd5Client:
    """flow.transport.login.ClientExchange."""

    __slots__ = ("_has_answered", "_name", "_secret", "login")

    is_lenient = False

    def __init__(self, name: str, secret: str, login: str) -> None:
        self._name = name.encode("utf-8", "surrogateescape")
        self._secret = secret.encode("utf-8", "surrogateescape")
        self._has_answered = False
        self.login = login

    def begin(self) -> bytes | None:
        return None

    def answer(self, challenge: bytes) -> bytes:
        if self._has_answered:
            raise CannotAnswer("CRAM-MD5: the server asks once too often")
        self._has_answered = True
        return self._name + b" " + digest_of(self._secret, challenge).encode()

    def check(self) -> None:
        """The host has nothing to prove."""


class CramMd5Server:
    """ports.logins.Exchange."""

    __slots__ = ("_challenge", "_driver", "_has_asked", "_login", "_scope")

    def __init__(self, driver: CramMd5, scope: Scope) -> None:
        self._driver = driver
        self._scope = scope
        self._login = ""
        """`server_set_id` for the log, also where there is no such user."""
        fixed = scope.facet(FixedChallenge)
        self._challenge = (
            fixed.text if fixed else f"<{os.getpid()}.{secrets.randbits(62)}@{_own_name(scope)}>".encode()
        )
        """Never the same twice; no clock is needed for that."""
        self._has_asked = False

    async def step(self, response: bytes | None) -> Step:
        if response is None:
            self._has_asked = True
            return Challenge(self._challenge)
        if not self._has_asked:
            return Failure("unexpected", "an answer before the challenge")
        if len(response) > _MAX_RESPONSE:
            return Failure("malformed", "response too long")
        name, space, digest = response.rpartition(b" ")
        if not space:
            name, digest = response, b""
        try:
            return await self._judge(name.decode("utf-8", "surrogateescape"), digest)
        except ExpansionDeferred as error:
            return Failure("temporary", str(error))
        except ExpansionFailed as error:
            kind: Literal["credentials", "temporary"] = (
                "credentials" if isinstance(error, ForcedFailure) else "temporary"
            )
            return Failure(kind, str(error), self._login)

    async def _judge(self, name: str, digest: bytes) -> Step:
        given = Tainted(name)
        scope = self._scope.with_facet(AuthItems, AuthItems((given,)))
        scope.captures = ["", given]
        driver = self._driver
        assert driver.server_secret is not None
        name_found = await login_of(driver, scope)
        login = self._login = name_found or ""
        secret = (await driver.server_secret.expand(scope)).encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(digest_of(secret, self._challenge).encode(), digest):
            return Failure("credentials", "the digest is wrong", login)
        if driver.server_condition:
            return named(judged(await driver.server_condition.expand(scope), login), name_found)
        return named(Success(Account(login, ""), login), name_found)


def _own_name(scope: Scope) -> str:
    host = scope.facet(LocalHost)
    return host.primary_hostname if host is not None else "localhost"
