"""`dnssec_request_domains` and `dnssec_require_domains`, of routers and of the smtp transport (Exim chapters 15, 30).

The resolver always asks for validated answers; who does not request them does not hear of it, so that DANE and the log do not either.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pillarbox.flow.route.hosts import Method
from pillarbox.language.expand.scope import Scope
from pillarbox.language.match.domains import DomainList


class DnssecOptions(Protocol):
    @property
    def dnssec_request_domains(self) -> DomainList | None: ...
    @property
    def dnssec_require_domains(self) -> DomainList | None: ...


async def secured(method: Method, name: str, options: DnssecOptions, scope: Scope) -> Method:
    """The method for the lookup of this domain or host."""
    required, requested = options.dnssec_require_domains, options.dnssec_request_domains
    if required is None and requested is not None and requested.source == "*":
        return method
    needs = required is not None and await required.matches(name, scope)
    asks = needs or (requested is not None and await requested.matches(name, scope))
    return msgspec.structs.replace(method, needs_security=needs, asks_security=asks)
