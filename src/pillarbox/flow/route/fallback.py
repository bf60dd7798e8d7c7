"""`fallback_hosts`: where to, when no host that was found can be reached (Exim chapter 15)."""

from __future__ import annotations

from pillarbox.flow.route.hosts import addresses_of, is_ip_address
from pillarbox.flow.route.result import Host
from pillarbox.flow.route.route_rules import parse_hosts
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionFailed


async def fallback_hosts(visit: Visit, text: str) -> tuple[Host, ...]:
    """Those of the hosts that can be found now. Raises ExpansionFailed for a malformed list."""
    try:
        items = [item for item in parse_hosts(text) if item != "+"]
    except ValueError as error:
        raise ExpansionFailed(f"fallback_hosts: {error}") from None
    hosts: list[Host] = []
    for item in items:
        if is_ip_address(item.name):
            hosts.append(Host(item.name, (item.name,), item.port))
            continue
        found = await addresses_of(item.name, visit.services)
        if found.status == "found":
            hosts.append(Host(found.name or item.name, found.addresses, item.port))
    return tuple(hosts)
