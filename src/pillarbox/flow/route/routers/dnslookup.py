"""dnslookup: the mail exchangers of the domain, else its addresses (Exim chapter 17, RFC 5321 §5.1, RFC 7505).

A domain that refuses mail by a null MX is refused here at once with its reason, where Exim declines.

Known gaps: SRV; names are taken as complete; headers are not rewritten to widened domains.
Domains beyond ASCII are asked for in IDNA 2003.
"""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.kinds import Words
from pillarbox.flow.route.hosts import (
    DNS_ONLY,
    Method,
    MxHosts,
    addresses_of,
    drop_ignored,
    is_local_address,
    mx_hosts,
)
from pillarbox.flow.route.result import Declined, Host, Redirected, Refused, RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ForcedFailure
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.items import split
from pillarbox.mail.address import quote_local_part
from pillarbox.mail.reply import Reason

_FALSE = frozenset(("", "0", "no", "false"))


class DnsLookup(Router, driver="dnslookup"):
    """Deliver to the hosts that the DNS names for the domain."""

    check_secondary_mx: bool = option(
        default=False, doc="Decline unless this host is a secondary exchanger of the domain."
    )
    check_srv: Template | None = option(
        default=None, doc="Look for SRV records of this service first.", inert="refused"
    )
    fail_defer_domains: DomainList | None = option(
        default=None, doc="Defer, not decline, when these are not found."
    )
    ipv4_only: Template | None = option(default=None, doc="True: use A records only.")
    ipv4_prefer: Template | None = option(default=None, doc="True: A records before AAAA records.")
    mx_domains: DomainList | None = option(default=None, doc="Domains that must have MX records.")
    mx_fail_domains: DomainList | None = option(
        default=None, doc="For these a failing MX lookup means that there is no MX."
    )
    qualify_single: bool = option(
        default=True, doc="Let the resolver complete names without a dot.", inert="noted"
    )
    rewrite_headers: bool = option(
        default=True,
        doc="Headers get the full name of a domain that was completed or widened.",
        inert="noted",
    )
    same_domain_copy_routing: bool = option(
        default=False, doc="Accepted for Exim's sake: repeated lookups come from the cache anyway."
    )
    search_parents: bool = option(default=False, doc="Let the resolver try parent domains.", inert="noted")
    srv_fail_domains: DomainList | None = option(
        default=None, doc="For these a failing SRV lookup means that there is no SRV.", inert="refused"
    )
    widen_domains: Words = option(default="", doc="Endings to try when the domain itself is not found.")

    must_have_transport = True

    async def route(self, visit: Visit) -> RouteResult:
        domain = visit.domain
        if not domain or domain.startswith("["):
            return Declined(message=f'mail domain "{domain}" is syntactically invalid')
        method = await self._method(visit)
        result = await self._look_up(domain, visit, method)
        if not isinstance(result, Declined):
            return result
        for ending, _ in split(self.widen_domains):
            wider = f"{domain}.{ending}"
            if not isinstance(await self._look_up(wider, visit, method), Declined):
                return self._widened(visit, wider)
        if self.fail_defer_domains is not None and await self.fail_defer_domains.matches(domain, visit.scope):
            return self.postpone(visit, f"{result.why} (fail_defer_domains)")
        return result

    async def _method(self, visit: Visit) -> Method:
        if self.ipv4_only is None and self.ipv4_prefer is None:
            return DNS_ONLY
        return Method(
            use_hosts_file=False,
            ipv4_only=await _is_true(visit, self.ipv4_only),
            ipv4_first=await _is_true(visit, self.ipv4_prefer),
        )

    def _widened(self, visit: Visit, domain: str) -> Redirected:
        local = quote_local_part(visit.candidate.original_local_part)
        return Redirected((visit.candidate.child(f"{local}@{domain}", self.name),))

    async def _look_up(self, domain: str, visit: Visit, method: Method) -> RouteResult:
        name = _to_ascii(domain)
        if name is None:
            return Declined("domain is not valid in the DNS")
        found = await mx_hosts(name, visit, self.ignore_target_hosts, method)
        match found.status:
            case "found":
                return await self._take(visit, found)
            case "self":
                if self.check_secondary_mx:
                    return Declined("this host is no secondary exchanger of the domain")
                result = await self.routed_to_self(visit, found.self_name, is_mx=True)
                return result if result is not None else await self.assign(visit, found.hosts)
            case "null":
                text = "domain does not accept mail"
                return Refused(Reason(f"{text} (null MX)", text))
            case "no_name":
                return Declined("domain does not exist")
            case "none":
                text = "all relevant MX records point to non-existent hosts"
                return Declined(found.detail or text, text)
            case "ignored":
                return Declined(found.detail)
            case "no_mx":
                return await self._by_address(name, visit, method)
            case "again":
                if self.mx_fail_domains is not None and await self.mx_fail_domains.matches(
                    domain, visit.scope
                ):
                    return await self._by_address(name, visit, method)
                return self.lookup_deferred(visit, f"host lookup did not complete: {found.detail}")

    async def _take(self, visit: Visit, found: MxHosts) -> RouteResult:
        if self.check_secondary_mx and not found.is_secondary:
            return Declined("this host is no secondary exchanger of the domain")
        return await self.assign(visit, found.hosts)

    async def _by_address(self, domain: str, visit: Visit, method: Method) -> RouteResult:
        """No MX records: the domain's own addresses (RFC 5321 §5.1)."""
        if self.check_secondary_mx:
            return Declined("this host is no secondary exchanger of the domain")
        if self.mx_domains is not None and await self.mx_domains.matches(domain, visit.scope):
            return Declined("domain has no MX records, and mx_domains wants them")
        found = await addresses_of(domain, visit.services, method)
        found = await drop_ignored(found, self.ignore_target_hosts, visit, domain)
        match found.status:
            case "again":
                return self.lookup_deferred(visit, f"host lookup did not complete: {found.detail}")
            case "none":
                return Declined("domain has neither MX nor address records")
            case "ignored":
                return Declined(found.detail)
            case "found":
                if any(is_local_address(address, visit.services) for address in found.addresses):
                    result = await self.routed_to_self(visit, domain)
                    if result is not None:
                        return result
                return await self.assign(visit, (Host(domain, found.addresses, is_secure=found.is_secure),))


async def _is_true(visit: Visit, template: Template | None) -> bool:
    if template is None:
        return False
    try:
        return (await visit.expand(template)).strip().lower() not in _FALSE
    except ForcedFailure:
        return False


def _to_ascii(domain: str) -> str | None:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
