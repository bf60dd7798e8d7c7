"""The client's name by its address (Exim 14, host_lookup)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def look_up_name(session: Session) -> None:
    """The client's verified name, asked for once. Several sessions of one client are answered from the resolver's cache."""
    live = session.live
    if session.origin.host_name or live.host_lookup_failed or live.host_lookup_deferred:
        return
    address = session.origin.host_address
    if not address:
        return
    try:
        name = await session.services.host_name_of(address)
    except (ExpansionDeferred, ExpansionFailed) as error:
        live.host_lookup_deferred = 1
        if session.services.log_style.shows("host_lookup_failed"):
            session.services.journal.main(f"host name lookup deferred for {address}: {error}")
        return
    if name:
        session.update_origin(host_name=name)
        return
    live.host_lookup_failed = 1
    if session.services.log_style.shows("host_lookup_failed"):
        session.services.journal.main(f"no host name found for IP address {address}")
