"""Authenticators: what the `authenticators` section declares (Exim chapter 33).

`public_name` is the SASL mechanism offered. Unless `server_advertise_condition` says otherwise a mechanism is offered only where the
password cannot be overheard: under TLS, or on loopback.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pillarbox.config.declare import Driver, option
from pillarbox.flow.check.acl.conditions.condition import read_truth
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Origin
from pillarbox.ports.logins import Exchange, Logins

LOOPBACK = ("127.", "::1")


class AuthItems(msgspec.Struct, frozen=True):
    """What a client's AUTH has given: `$auth1`, `$auth2` …; a facet of the scope in which it is judged."""

    items: tuple[str, ...]


class Authenticator(Driver, family="authenticator"):
    """Generic options of all authenticators."""

    public_name: str = option(
        default="", doc="Name of the mechanism; by default the authenticator's own name."
    )
    server_advertise_condition: Template | None = option(
        default=None, doc="Offer the mechanism only when this expands to a true value."
    )

    @property
    def is_server(self) -> bool:
        """Our clients may use it."""
        return True

    @property
    def is_client(self) -> bool:
        """We may use it at other hosts: it is a flow.transport.authenticate.ClientAuthenticator."""
        return False

    @property
    def mechanism(self) -> str:
        return (self.public_name or self.name).upper()

    async def is_offered(self, origin: Origin, scope: Scope) -> bool:
        """Whether this client may use it now; -PLUS mechanisms need a channel to bind to besides."""
        condition = self.server_advertise_condition
        if condition is None:
            return bool(origin.tls_cipher) or origin.host_address.startswith(LOOPBACK)
        try:
            return read_truth(await condition.expand(scope))
        except (ExpansionFailed, ExpansionDeferred):
            return False

    def begin_in(
        self, scope: Scope, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]
    ) -> Exchange | None:
        """As `begin`, for drivers that expand something."""
        return self.begin(logins, peer_address, bindings)

    def begin(self, logins: Logins, peer_address: str, bindings: Mapping[str, bytes]) -> Exchange | None:
        """An exchange, or None when this driver is for clients only."""
        return None
