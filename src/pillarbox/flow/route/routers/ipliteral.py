"""ipliteral: addresses whose domain is an IP address, `user@[192.0.2.1]` (Exim chapter 18, RFC 5321 §4.1.3)."""

from __future__ import annotations

from ipaddress import ip_address

from pillarbox.flow.route.hosts import is_local_address
from pillarbox.flow.route.own_host import routed_to_self
from pillarbox.flow.route.result import Declined, Host, RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.match.hosts import HostSubject


class IpLiteral(Router, driver="ipliteral"):
    """Deliver to the host with the address in brackets."""

    must_have_transport = True

    async def route(self, visit: Visit) -> RouteResult:
        address = literal_address(visit.domain)
        if address is None:
            return Declined("domain is no address literal")
        if ":" in address and not visit.services.dns.has_ipv6:
            return Declined("there is no IPv6: disable_ipv6")
        ignore = self.ignore_target_hosts
        if ignore is not None and await ignore.matches(HostSubject(address), visit.scope):
            return Declined(message="IP literal host explicitly ignored")
        if is_local_address(address, visit.services):
            result = await routed_to_self(self, visit, visit.domain)
            if result is not None:
                return result
        return await self.assign(visit, (Host(visit.domain, (address,)),))


def literal_address(domain: str) -> str | None:
    """`[192.0.2.1]`, `[IPv6:2001:db8::1]`, also `[ipv4:…]` as in Exim; None for everything else."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    text = domain[1:-1]
    if text[:5].lower() in ("ipv6:", "ipv4:"):
        text = text[5:]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
