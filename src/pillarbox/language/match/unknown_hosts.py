"""Hosts in lists that cannot be found out, for the log (Exim 10.4.5, `log_selector = +unknown_in_list`).

Whoever is told is asked like the DNS: so a list that has to wait, and is begun anew, tells of each host once.
"""

from __future__ import annotations

from typing import Literal, Protocol, cast

import msgspec

from pillarbox.language.expand.scope import Scope, Services
from pillarbox.mail.envelope import Origin

What = Literal["no address", "included", "failed"]
"""A name in a list has no address; what is unknown counts as a match (`+include_unknown`); the list has ended without one."""


class UnknownHosts(Protocol):
    """A facet of the services: who is told. Without it nobody is."""

    def tell(self, what: What, text: str, client: Origin | None) -> None:
        """`text`: the name, or what could not be found. `client`: of the session in which a name was looked for."""
        ...


class _Told(msgspec.Struct, frozen=True, gc=False, tag=True):
    what: What
    text: str
    client: Origin | None

    def answer_now(self, services: Services) -> None:
        raise BlockingIOError

    async def answer(self, services: Services) -> None:
        cast(UnknownHosts, services.facts[UnknownHosts]).tell(self.what, self.text, self.client)


def tell(what: What, text: str, scope: Scope) -> None:
    if text and UnknownHosts in scope.services.facts:
        scope.ask(_Told(what, text, scope.facet(Origin)))
