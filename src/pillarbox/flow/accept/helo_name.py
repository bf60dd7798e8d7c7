"""What the client calls itself in HELO (Exim 14, helo_verify_hosts and helo_lookup_domains)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pillarbox.flow.accept.listening import tell
from pillarbox.flow.check.helo import helo_is_true
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def has_its_name(session: Session) -> bool | None:
    """None: that cannot be said now."""
    services = session.services
    found = await helo_is_true(
        session.origin.helo,
        session.client,
        services.expansion,
        services.checks.host_names,
        partial(tell, session),
    )
    session.client.helo_is_true = found is True
    return found


async def looks_like_ours(session: Session, name: str) -> bool:
    """It calls itself by a name of ours, or something like it (`helo_lookup_domains`): then its own name is wanted."""
    domains = session.policy.habits.helo_lookup_domains
    if domains is None:
        return False
    scope = session.new_scope()
    try:
        return domains.matches_now(name, scope) if domains.is_pure else await domains.matches(name, scope)
    except (ExpansionDeferred, ExpansionFailed):
        return False
