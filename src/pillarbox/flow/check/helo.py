"""Is what a client calls itself its own name? (Exim 14, helo_verify_hosts; 44.17, verify = helo.) Its address in brackets, its verified
name, or a name that has its address."""

from __future__ import annotations

from pillarbox.language.expand.errors import ExpansionDeferred
from pillarbox.language.expand.scope import Services
from pillarbox.language.match.host_names import ClientName, NameFinder, addresses_by_dns


async def helo_is_true(helo: str, client: ClientName, services: Services, names: NameFinder) -> bool | None:
    """None: that cannot be said now, because the client's own name could not be asked for."""
    if helo.startswith("["):
        return helo[1:-1].lower().removeprefix("ipv6:") == client.address.lower()
    if not helo:
        return False
    if not client.is_known and not client.is_deferred:
        try:
            client.learn(await names.name_of(client.address), is_shown=False)
        except ExpansionDeferred:
            client.is_deferred = True
    if client.name and client.name == helo.lower():
        return True
    try:
        addresses = await addresses_by_dns(helo.lower(), services)
    except ExpansionDeferred:
        addresses = frozenset()
    if client.address in addresses:
        return True
    return None if client.is_deferred else False
