"""dnslookup: the hosts that SRV or MX records name for the domain, else its own addresses (Exim chapter 17, RFC 5321 §5.1, RFC 7505).

A name that is not complete is completed by the resolver's search list (`qualify_single`, `search_parents`) or by `widen_domains`; the address is
then routed anew with the full name, and the headers get it too. Domains beyond ASCII are asked for in IDNA 2003.
"""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.declare import option
from pillarbox.config.kinds import Words
from pillarbox.flow.route.dnssec import secured
from pillarbox.flow.route.exchangers import mx_hosts, srv_hosts
from pillarbox.flow.route.hosts import (
    DNS_ONLY,
    Method,
    MxHosts,
    addresses_of,
    drop_ignored,
    is_this_machine,
)
from pillarbox.flow.route.own_host import routed_to_self
from pillarbox.flow.route.result import Declined, Host, LogLine, Redirected, RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.items import split
from pillarbox.mail.address import quote_local_part

_NO_SERVICE = "an MX or SRV record indicated no SMTP service"
_NO_HOSTS = "all relevant MX records point to non-existent hosts"
_NOT_SECONDARY = "this host is no secondary exchanger of the domain"
_DEFER_REQUESTED = "missing MX, or all MXs point to missing A records, and defer requested"
_FALSE = frozenset(("", "0", "no", "false"))


class DnsLookup(Router, driver="dnslookup"):
    """Deliver to the hosts that the DNS names for the domain."""

    check_secondary_mx: bool = option(
        default=False, doc="Decline unless this host is a secondary exchanger of the domain."
    )
    check_srv: Template | None = option(default=None, doc="Look for SRV records of these services first.")
    fail_defer_domains: DomainList | None = option(
        default=None, doc="Defer, not decline, when these are not found."
    )
    ipv4_only: Template | None = option(default=None, doc="True: use A records only.")
    ipv4_prefer: Template | None = option(default=None, doc="True: A records before AAAA records.")
    mx_domains: DomainList | None = option(default=None, doc="Domains that must have MX records.")
    mx_fail_domains: DomainList | None = option(
        default=None, doc="For these a failing MX lookup means that there is no MX."
    )
    qualify_single: bool = option(default=True, doc="Let the resolver complete names without a dot.")
    rewrite_headers: bool = option(
        default=True,
        doc="Headers get the full name of a domain that was completed or widened.",
    )
    same_domain_copy_routing: bool = option(
        default=False, doc="Accepted for Exim's sake: repeated lookups come from the cache anyway."
    )
    search_parents: bool = option(default=False, doc="Let the resolver try parent domains.")
    srv_fail_domains: DomainList | None = option(
        default=None, doc="For these a failing SRV lookup means that there is no SRV."
    )
    widen_domains: Words = option(default="", doc="Endings to try when the domain itself is not found.")

    must_have_transport = True

    async def route(self, visit: Visit) -> RouteResult:
        domain = visit.domain
        if (
            not domain
            or domain.startswith("[")
            or not visit.services.dns.is_well_formed(_to_ascii(domain) or "")
        ):
            return Declined(message=f'mail domain "{domain}" is syntactically invalid')
        method = await self._method(visit)
        result: RouteResult = Declined("domain does not exist")
        for name in self._names(visit):
            result = await self._look_up(name, visit, method)
            if not isinstance(result, Declined) or result.message:
                return result if name == domain else self._with_full_name(visit, name)
        return result

    def _names(self, visit: Visit) -> Iterator[str]:
        """In the order in which the resolver and we try them (resolv.conf(5): a name with a dot first as it is). A sender that is being
        verified is not completed where headers would have to change."""
        domain = visit.domain
        if visit.purpose == "verify_sender" and self.rewrite_headers:
            yield domain
            return
        if "." in domain:
            yield domain
            if self.search_parents:
                yield from (f"{domain}.{parent}" for parent in visit.services.dns.search_list())
        else:
            if self.qualify_single:
                parents = visit.services.dns.search_list()
                yield from (f"{domain}.{parent}" for parent in parents[: None if self.search_parents else 1])
            yield domain
        if self.widen_domains:
            yield from (f"{domain}.{ending}" for ending, _ in split(self.widen_domains) if ending)

    async def _method(self, visit: Visit) -> Method:
        method = DNS_ONLY
        if self.ipv4_only is not None or self.ipv4_prefer is not None:
            method = Method(
                use_hosts_file=False,
                ipv4_only=await _is_true(visit, self.ipv4_only),
                ipv4_first=await _is_true(visit, self.ipv4_prefer),
            )
        return await secured(method, visit.domain, self, visit.scope)

    def _with_full_name(self, visit: Visit, domain: str) -> Redirected:
        local = quote_local_part(visit.candidate.original_local_part)
        child = visit.candidate.child(f"{local}@{domain}", self.name, is_caseful=self.caseful_local_part)
        return Redirected((child,), new_domain=domain if self.rewrite_headers else "")

    async def _look_up(self, domain: str, visit: Visit, method: Method) -> RouteResult:
        name = _to_ascii(domain)
        if name is None:
            return Declined("domain is not valid in the DNS")
        for service in await self._services(visit):
            found = await srv_hosts(service, name, visit, self.ignore_target_hosts, method)
            if found.status == "unanswered" and await _is_among(self.srv_fail_domains, domain, visit):
                continue
            if found.status != "no_mx":
                return await self._answer(found, domain, name, visit, method)
        found = await mx_hosts(name, visit, self.ignore_target_hosts, method)
        return await self._answer(found, domain, name, visit, method)

    async def _services(self, visit: Visit) -> list[str]:
        if self.check_srv is None:
            return []
        try:
            return [name for name, _ in split(await visit.expand(self.check_srv)) if name]
        except ForcedFailure:
            return []

    async def _answer(
        self, found: MxHosts, domain: str, name: str, visit: Visit, method: Method
    ) -> RouteResult:
        match found.status:
            case "found":
                return await self._take(visit, found)
            case "self":
                result = await routed_to_self(self, visit, found.self_name, is_mx=True)
                return result if result is not None else await self._take(visit, found)
            case "null":
                return await self._nobody(visit, domain, "null MX", _NO_SERVICE)
            case "no_name":
                if found.detail:
                    visit.log.append(LogLine(found.detail))
                return await self._nobody(visit, domain, "domain does not exist")
            case "none" | "ignored" if not found.failed_name:
                return await self._nobody(visit, domain, found.detail, _NO_SERVICE)
            case "none" | "ignored":
                to_addresses = " or (invalidly) to IP addresses" if "IP address" in found.detail else ""
                return await self._nobody(visit, domain, found.detail, _NO_HOSTS + to_addresses)
            case "insecure":
                return self.insecure(visit, "host lookup done insecurely", found.detail)
            case "no_mx":
                return await self._by_address(name, visit, method)
            case "unanswered" if await _is_among(self.mx_fail_domains, domain, visit):
                return await self._by_address(name, visit, method)
            case "unanswered" | "again":
                return self.lookup_deferred(visit, "host lookup did not complete", found.detail)

    async def _take(self, visit: Visit, found: MxHosts) -> RouteResult:
        if self.check_secondary_mx and not found.is_secondary:
            return Declined(_NOT_SECONDARY)
        return await self.assign(visit, found.hosts, unusable=found.unusable)

    async def _by_address(self, domain: str, visit: Visit, method: Method) -> RouteResult:
        """No MX records: the domain's own addresses (RFC 5321 §5.1)."""
        if await _is_among(self.mx_domains, domain, visit):
            return await self._nobody(visit, domain, "domain has no MX records, and mx_domains wants them")
        found = await addresses_of(domain, visit.services, method)
        found = await drop_ignored(found, self.ignore_target_hosts, visit, domain)
        match found.status:
            case "again":
                return self.lookup_deferred(visit, "host lookup did not complete", found.detail)
            case "insecure":
                return self.insecure(visit, "host lookup done insecurely", found.detail)
            case "none":
                return await self._nobody(visit, domain, "domain has neither MX nor address records")
            case "ignored":
                return await self._nobody(visit, domain, found.detail)
            case "found":
                name = found.name or domain
                if is_this_machine(name, found, visit):
                    result = await routed_to_self(self, visit, domain)
                    if result is not None:
                        return result
                if self.check_secondary_mx:
                    return Declined(_NOT_SECONDARY)
                return await self.assign(visit, (Host(name, found.addresses, is_secure=found.is_secure),))

    async def _nobody(self, visit: Visit, domain: str, why: str, message: str = "") -> RouteResult:
        """No host is there for `domain`: `fail_defer_domains`. `message`: what senders read."""
        try:
            if await _is_among(self.fail_defer_domains, domain, visit):
                return self.postpone(visit, _DEFER_REQUESTED, error="missing_mx")
        except (ExpansionDeferred, ExpansionFailed) as error:
            visit.log.append(LogLine(str(error), is_panic=True))
            return self.postpone(visit, "lookup defer for fail_defer_domains option")
        return Declined(why, message)


async def _is_among(domains: DomainList | None, domain: str, visit: Visit) -> bool:
    return domains is not None and await domains.matches(domain, visit.scope)


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
