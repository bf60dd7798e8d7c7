"""Whether the client is in a host list of the configuration, and what a list that cannot say now means there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.hosts import HostList, HostSubject

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def is_in(session: Session, hosts: HostList | None) -> bool:
    """In a list that is not set there is nobody. Raises ExpansionDeferred."""
    if hosts is None:
        return False
    subject = HostSubject(session.origin.host_address)
    scope = session.new_scope()
    return hosts.matches_now(subject, scope) if hosts.is_pure else await hosts.matches(subject, scope)


async def is_surely_in(session: Session, hosts: HostList | None) -> bool:
    """The same, where a list that cannot say now counts as one that the client is not in."""
    if hosts is None:
        return False
    try:
        return await is_in(session, hosts)
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.main(f"{hosts.source}: {error}")
        return False


async def may_leave_unqualified(session: Session, hosts: HostList | None) -> bool:
    """Hosts in the list may send addresses without a domain, and users that have logged in."""
    if session.origin.authenticator or session.local is not None:
        return True
    try:
        return await is_in(session, hosts)
    except (ExpansionDeferred, ExpansionFailed):
        return False
