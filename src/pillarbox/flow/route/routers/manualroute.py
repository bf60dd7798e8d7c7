"""manualroute: hosts as the administrator says, by domain (Exim chapter 20).

For a remote transport the addresses of the hosts are looked up; for a local one the list is handed on as it stands (`$host`).
`byname` is taken as "DNS, then /etc/hosts", which is also the default here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedBool, choice
from pillarbox.config.numbers import NAME
from pillarbox.flow.route.hosts import (
    Found,
    Method,
    addresses_of,
    drop_ignored,
    is_ip_address,
    is_local_address,
    mx_hosts,
)
from pillarbox.flow.route.result import Declined, Host, Passed, Refused, RouteResult
from pillarbox.flow.route.route_rules import (
    Divider,
    HostItem,
    RouteListOption,
    RuleOptions,
    parse_hosts,
    parse_options,
    take_word,
)
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit, plain_reason
from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template

OnFailure = Literal["decline", "defer", "fail", "freeze", "ignore", "pass"]
_REFUSAL = f"unrecognized setting for {NAME} option"
HostFindFailed = Annotated[
    OnFailure, choice(("decline", "defer", "fail", "freeze", "ignore", "pass"), _REFUSAL)
]
HostAllIgnored = Annotated[OnFailure, choice(("decline", "defer", "fail", "freeze", "pass"), _REFUSAL)]


class ManualRoute(Router, driver="manualroute"):
    """Deliver to the hosts listed for the domain."""

    host_all_ignored: HostAllIgnored = option(default="defer", doc="What to do when every host was ignored.")
    host_find_failed: HostFindFailed = option(default="freeze", doc="What to do when a host does not exist.")
    hosts_randomize: ExpandedBool = option(default=False, doc="Shuffle the hosts.")
    route_data: Template | None = option(default=None, doc="Hosts and options for the domain.")
    route_list: RouteListOption | None = option(default=None, doc="Rules: domain pattern, hosts, options.")
    same_domain_copy_routing: bool = option(
        default=False, doc="Accepted for Exim's sake: repeated lookups come from the cache anyway."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.route_data is None) == (self.route_list is None):
            raise OptionError("route_list or route_data (but not both) must be specified", "route_list")

    async def route(self, visit: Visit) -> RouteResult:
        try:
            rule = await self._rule(visit)
        except ForcedFailure:
            return Declined("expansion was forced to fail")
        except ExpansionFailed as error:
            if self.route_data is not None:
                raise
            return Declined(str(error))
        if rule is None:
            return Declined("no routing rule for the domain")
        hosts_text, options_text = rule
        try:
            options, items = parse_options(options_text), parse_hosts(hosts_text)
        except ValueError as error:
            return self.postpone(visit, f"{self.name} router: {error}")
        return await self._deliver(items, options, visit)

    async def _rule(self, visit: Visit) -> tuple[str, str] | None:
        """(hosts, options) for the domain, expanded."""
        if self.route_data is not None:
            text = (await visit.expand(self.route_data)).strip()
            return take_word(text) if text else None
        assert self.route_list is not None
        for rule in self.route_list.rules:
            scope = visit.scope
            scope.captures = [visit.domain]
            data = await rule.pattern.match_data(visit.domain, scope)
            if data is None:
                continue
            scope.value = data
            hosts = await visit.expand(rule.hosts) if rule.hosts is not None else ""
            return hosts, rule.options
        return None

    async def _deliver(
        self, items: list[HostItem | Divider], options: RuleOptions, visit: Visit
    ) -> RouteResult:
        transport = Template.parse(options.transport) if options.transport else self.transport
        if visit.is_verifying and not items:
            return await self.assign(visit)
        name = await visit.expand(transport) if transport is not None else ""
        is_remote = visit.services.transports.get(name, bool(items))
        is_random = options.is_random
        if is_random is None:
            is_random = await visit.expand_bool(self.hosts_randomize, "hosts_randomize")
        ordered = _shuffled(items, visit) if is_random else [each for each in items if each != "+"]
        if not is_remote:
            hosts = tuple(Host(item.name, (), item.port) for item in ordered)
            return await self.assign(visit, hosts, transport=transport)
        if not ordered:
            return self.postpone(visit, f"{self.name} router: no host is given for a remote transport")
        found = await self._find(ordered, options.method, visit)
        if not isinstance(found, tuple):
            return found
        return await self.assign(visit, found, transport=transport)

    async def _find(
        self, items: list[HostItem], method: Method, visit: Visit
    ) -> tuple[Host, ...] | RouteResult:
        hosts: list[Host] = []
        for index, item in enumerate(items):
            part = await self._find_one(item, method, visit, is_first=index == 0)
            if part is None:
                break  # ourselves behind others: the rest is no use
            if not isinstance(part, list):
                return part
            hosts.extend(part)
        if hosts:
            return tuple(hosts)
        return self._failed(self.host_all_ignored, "lookup for all hosts failed and they were ignored", visit)

    async def _find_one(
        self, item: HostItem, method: Method, visit: Visit, *, is_first: bool
    ) -> list[Host] | RouteResult | None:
        """The hosts one item stands for; None: this machine, and not first. `host_find_failed` decides about unknown ones."""
        if item.is_mx:
            return await self._find_mx(item, method, visit, is_first=is_first)
        if is_ip_address(item.name):
            found = Found("found", (item.name,))
        else:
            found = await addresses_of(item.name, visit.services, method)
        found = await drop_ignored(found, self.ignore_target_hosts, visit, item.name)
        match found.status:
            case "again":
                return self.lookup_deferred(
                    visit, f"host lookup for {item.name} did not complete: {found.detail}"
                )
            case "ignored":
                return []
            case "none":
                return self._not_found(item.name, visit)
            case "found":
                host = Host(item.name, found.addresses, item.port, is_secure=found.is_secure)
                if any(is_local_address(address, visit.services) for address in found.addresses):
                    if not is_first:
                        return None
                    result = await self.routed_to_self(visit, item.name)
                    return result if result is not None else [host]
                return [host]

    async def _find_mx(
        self, item: HostItem, method: Method, visit: Visit, *, is_first: bool
    ) -> list[Host] | RouteResult | None:
        found = await mx_hosts(item.name, visit, self.ignore_target_hosts, method)
        hosts = [msgspec.structs.replace(host, port=item.port) for host in found.hosts]
        match found.status:
            case "found":
                return hosts
            case "self":
                if not is_first:
                    return None
                result = await self.routed_to_self(visit, found.self_name, is_mx=True)
                return result if result is not None else hosts
            case "again":
                return self.lookup_deferred(
                    visit, f"MX lookup for {item.name} did not complete: {found.detail}"
                )
            case "ignored":
                return []
            case "no_mx":
                plain = HostItem(item.name, item.port)
                return await self._find_one(plain, method, visit, is_first=is_first)
            case "null" | "none" | "no_name":
                return self._not_found(item.name, visit)

    def _not_found(self, name: str, visit: Visit) -> list[Host] | RouteResult:
        if self.host_find_failed == "ignore":
            return []
        return self._failed(
            self.host_find_failed, f"lookup of host {name!r} failed in {self.name} router", visit
        )

    def _failed(self, what: OnFailure, text: str, visit: Visit) -> RouteResult:
        match what:
            case "decline" | "ignore":
                return Declined(text)
            case "pass":
                return Passed(self.pass_router)
            case "fail":
                return Refused(plain_reason(text))
            case "defer":
                return self.postpone(visit, text)
            case "freeze":
                return self.postpone(visit, text, is_frozen=True)


def _shuffled(items: list[HostItem | Divider], visit: Visit) -> list[HostItem]:
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
