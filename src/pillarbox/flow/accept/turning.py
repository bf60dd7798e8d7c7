"""A connection that turns round (RFC 2645): its client becomes the server, and gets what waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.check.acl.finding import ChosenAcl
from pillarbox.flow.check.acl.state import CustomerDomains
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.ports.network import Connection

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


class Customer(msgspec.Struct, frozen=True):
    """Who has asked, and for what."""

    connection: Connection
    """On which the client, a server now, is about to greet."""
    address: str
    port: int
    domains: CustomerDomains
    queue: str
    """The name of the queue that holds the mail; empty: the usual one."""


Serve = Callable[[Customer], Awaitable[None]]
"""Send it all, and take leave; the connection is over then. Raises nothing that the client can cause."""


async def may_turn(session: Session) -> bool:
    """`acl_smtp_atrn` names an ACL for this client."""
    acl = session.policy.acls.get("atrn")
    if acl is None or session.stream.as_client() is None:
        return False
    try:
        return not (isinstance(acl, ChosenAcl) and await acl.is_nothing(session.new_scope()))
    except (ExpansionFailed, ExpansionDeferred) as error:
        session.services.journal.panic(f"failed to expand acl_smtp_atrn: {error}")
        return False
