"""Lists of hosts as administrators write them, looked up: for manualroute and queryprogram (Exim 20.5 to 20.7)."""

from __future__ import annotations

from typing import Literal

import msgspec

from pillarbox.flow.route.dnssec import secured
from pillarbox.flow.route.exchangers import mx_hosts
from pillarbox.flow.route.hosts import (
    Found,
    Method,
    addresses_of,
    drop_ignored,
    is_ip_address,
    is_this_machine,
)
from pillarbox.flow.route.own_host import routed_to_self
from pillarbox.flow.route.result import Declined, Host, LogLine, Passed, Refused, RouteResult
from pillarbox.flow.route.route_rules import Divider, HostItem
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.mail.reply import Reason

OnFailure = Literal["decline", "defer", "fail", "freeze", "ignore", "pass"]


class HostFinder:
    """Looks up the hosts of one list, for one address. `find_failed`, `all_ignored`: what to do about hosts that do not exist, and when
    none is left."""

    __slots__ = ("all_ignored", "find_failed", "router", "visit")

    def __init__(self, router: Router, visit: Visit, find_failed: OnFailure, all_ignored: OnFailure) -> None:
        self.router = router
        self.visit = visit
        self.find_failed = find_failed
        self.all_ignored = all_ignored

    async def find(self, items: list[HostItem], method: Method) -> tuple[Host, ...] | RouteResult:
        hosts: list[Host] = []
        for item in items:
            wanted = await secured(method, item.name, self.router, self.visit.scope)
            part = await self._find_one(item, wanted, is_first=not hosts)
            if part is None:
                break  # ourselves behind others: the rest is no use
            if not isinstance(part, list):
                return part
            hosts.extend(part)
        if hosts:
            return tuple(hosts)
        return self._failed(
            self.all_ignored,
            f"lookup failed for all hosts in {self.router.name} router: "
            f"host_find_failed=ignore host_all_ignored={self.all_ignored}",
            error="expansion",
        )

    async def _find_one(
        self, item: HostItem, method: Method, *, is_first: bool
    ) -> list[Host] | RouteResult | None:
        """The hosts one item stands for; None: this machine, and not first. `find_failed` decides about unknown ones."""
        if item.is_mx:
            return await self._find_mx(item, method, is_first=is_first)
        if is_ip_address(item.name):
            is_usable = ":" not in item.name or self.visit.services.dns.has_ipv6
            found = Found("found", (item.name,)) if is_usable else Found("none")
        else:
            found = await addresses_of(item.name, self.visit.services, method)
        found = await drop_ignored(found, self.router.ignore_target_hosts, self.visit, item.name)
        match found.status:
            case "again":
                return self._deferred(item.name, found.detail)
            case "insecure":
                return self._insecure(item.name, found.detail)
            case "ignored" | "none":
                if method.use_hosts_file and self._tells_unknown_hosts:
                    self.visit.log.append(LogLine(f"no IP address found for host {item.name}"))
                return self._not_found(item.name)
            case "found":
                name = found.name or item.name.rstrip(".")
                host = Host(name, found.addresses, item.port, is_secure=found.is_secure)
                if is_this_machine(item.name, found, self.visit):
                    if not is_first:
                        return None
                    result = await routed_to_self(self.router, self.visit, item.name)
                    return result if result is not None else [host]
                return [host]

    async def _find_mx(
        self, item: HostItem, method: Method, *, is_first: bool
    ) -> list[Host] | RouteResult | None:
        found = await mx_hosts(item.name, self.visit, self.router.ignore_target_hosts, method)
        hosts = [msgspec.structs.replace(host, port=item.port) for host in found.hosts]
        match found.status:
            case "found":
                return hosts
            case "self":
                if not is_first:
                    return None
                result = await routed_to_self(self.router, self.visit, found.self_name, is_mx=True)
                return result if result is not None else hosts
            case "insecure":
                return self._insecure(found.insecure_name, found.detail)
            case "unanswered" | "again":
                return self._deferred(found.failed_name or item.name, found.detail)
            case "ignored" | "none":
                return self._not_found(found.failed_name)
            case "null":
                return self._not_found("", is_odd=True)
            case "no_mx" | "no_name":  # addresses do not count here
                return self._not_found(
                    item.name, is_odd=not self.visit.services.dns.is_well_formed(item.name)
                )

    def _deferred(self, name: str, detail: str) -> RouteResult:
        text = f"host lookup for {name} did not complete (DNS timeout?)"
        return self.router.lookup_deferred(self.visit, text, detail)

    def _insecure(self, name: str, detail: str) -> RouteResult:
        return self.router.insecure(self.visit, f"host lookup for {name} done insecurely", detail)

    @property
    def _tells_unknown_hosts(self) -> bool:
        """Not where `-bt` or `-bv` ask. Known gap: Exim tells it of verification in SMTP sessions too."""
        return self.visit.services.tells_unknown_hosts and self.visit.purpose == "deliver"

    def _not_found(self, name: str, *, is_odd: bool = False) -> list[Host] | RouteResult:
        """`is_odd`: a name that the DNS was not asked about."""
        if self.find_failed == "ignore":
            return []
        text = f'lookup of host "{name}" failed in {self.router.name} router'
        return self._failed(self.find_failed, f"{text}: syntax error in name" if is_odd else text)

    def _failed(self, what: OnFailure, text: str, error: str = "lookup") -> RouteResult:
        match what:
            case "decline" | "ignore":
                return Declined(text)
            case "pass":
                return Passed(self.router.pass_router)
            case "fail":
                is_delivery = self.visit.purpose == "deliver"
                return Refused(Reason(text, "" if is_delivery else text))  # clients hear it, senders do not
            case "defer":
                return self.router.postpone(self.visit, text, error=error)
            case "freeze":
                return self.router.postpone(self.visit, text, is_frozen=True, error=error)


def shuffled(items: list[HostItem | Divider], visit: Visit) -> list[HostItem]:
    """Each group between `+` shuffled by itself."""
    ordered: list[HostItem] = []
    group: list[HostItem] = []
    for item in (*items, "+"):
        if isinstance(item, HostItem):
            group.append(item)
            continue
        visit.services.random.shuffle(group)
        ordered.extend(group)
        group = []
    return ordered
