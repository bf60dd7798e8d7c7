"""Whether the client may call itself what it does in HELO (Exim 14, helo_verify_hosts; 44.2, verify = helo)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.flow.accept.naming import look_up_name
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.host_names import AddressesOf

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def has_its_name(session: Session) -> bool | None:
    """It is an address literal with its address, its verified name, or a name that has its address; None: that cannot be said now."""
    origin = session.origin
    helo = origin.helo
    if helo.startswith("["):
        return helo[1:-1].lower().removeprefix("ipv6:") == origin.host_address.lower()
    await look_up_name(session)
    if session.origin.host_name and session.origin.host_name == helo.lower():
        return True
    try:
        addresses = await AddressesOf(helo).answer(session.services.expansion)
    except ExpansionDeferred:
        return None
    if origin.host_address in addresses:
        return True
    return None if session.live.host_lookup_deferred else False


async def looks_like_ours(session: Session, name: str) -> bool:
    """It calls itself by a name of ours, or something like it (`helo_lookup_domains`): then its own name is wanted."""
    domains = session.policy.habits.helo_lookup_domains
    if domains is None:
        return False
    scope = session.new_scope()
    try:
        return bool(await domains.matches(name, scope))
    except (ExpansionDeferred, ExpansionFailed):
        return False
