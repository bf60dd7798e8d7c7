"""The client's name by its address (Exim 14, host_lookup)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.host_names import NO_NAME, FoundName

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session


async def look_up_name(session: Session) -> None:
    """The client's verified name, asked for once. Several sessions of one client are answered from the resolver's cache."""
    client = session.client
    if client.is_known or client.is_deferred:
        return
    try:
        client.learn(await session.services.host_name_of(client.address))
    except (ExpansionDeferred, ExpansionFailed):
        client.is_deferred = True


def note_name(session: Session, found: FoundName) -> None:
    """What has been found out, by whomever: for the log, and for all that comes."""
    if found.name:
        if session.client.is_shown:
            session.update_origin(host_name=found.name)
    elif found.why == NO_NAME and session.services.log_style.shows("host_lookup_failed"):
        session.services.journal.main(f"no host name found for IP address {session.client.address}")
