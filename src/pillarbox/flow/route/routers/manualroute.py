"""manualroute: hosts as the administrator says, by domain (Exim chapter 20).

For a remote transport the addresses of the hosts are looked up; for a local one the list is handed on as it stands (`$host`).
`byname` is taken as "DNS, then /etc/hosts", which is also the default here.
"""

from __future__ import annotations

from typing import Annotated

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedBool, choice
from pillarbox.config.numbers import NAME
from pillarbox.flow.route.host_lists import HostFinder, OnFailure, shuffled
from pillarbox.flow.route.result import Declined, Host, LogLine, RouteResult
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
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template

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
        if rule is None:
            return Declined("no routing rule for the domain")
        hosts_text, options_text = rule
        try:
            options = parse_options(options_text, visit.services.transports)
            items = parse_hosts(hosts_text)
        except ValueError as error:
            visit.log.append(LogLine(f"Error in {self.name} router: {error}"))
            return self.postpone(visit, f"error in router: {error}", error="expansion")
        return await self._deliver(hosts_text, items, options, visit)

    async def _rule(self, visit: Visit) -> tuple[str, str] | None:
        """(hosts, options) for the domain, expanded."""
        if self.route_data is not None:
            text = (await self._expanded(self.route_data, visit, "")).strip()
            return take_word(text) if text else None
        assert self.route_list is not None
        for rule in self.route_list.rules:
            scope = visit.scope
            scope.captures = [visit.domain]
            data = await rule.pattern.match_data(visit.domain, scope)
            if data is None:
                continue
            scope.value = data
            about = f"{self.name} router: "
            hosts = await self._expanded(rule.hosts, visit, about) if rule.hosts is not None else ""
            return hosts, rule.options
        return None

    async def _expanded(self, template: Template, visit: Visit, about: str) -> str:
        """Raises ForcedFailure, ExpansionFailed, ExpansionDeferred."""
        try:
            return await visit.expand(template)
        except ForcedFailure:
            raise
        except (ExpansionFailed, ExpansionDeferred) as error:
            raise type(error)(f'{about}failed to expand "{template.source}": {error}') from None

    async def _deliver(
        self, text: str, items: list[HostItem | Divider], options: RuleOptions, visit: Visit
    ) -> RouteResult:
        transport = Template.parse(options.transport) if options.transport else self.transport
        if visit.is_verifying and not items:
            return await self.assign(visit)
        if transport is None and not visit.is_verifying:
            visit.log.append(LogLine(f"Error in {self.name} router: no transport defined"))
            return self.postpone(visit, "error in router: transport missing")
        name = await self.transport_name(visit, transport) if transport is not None else ""
        is_remote = visit.services.transports.get(name, bool(items))
        is_random = options.is_random
        if is_random is None:
            is_random = await visit.expand_bool(self.hosts_randomize, "hosts_randomize")
        ordered = shuffled(items, visit) if is_random else [each for each in items if each != "+"]
        if not is_remote:
            return await self.assign(visit, (Host(text, ()),) if text else (), transport=transport)
        if self.route_list is not None and not text.strip():
            why = f"error in {self.name} router: no host(s) specified for domain {visit.domain}"
            visit.log.append(LogLine(why))
            return self.postpone(visit, why, error="expansion")
        found = await HostFinder(self, visit, self.host_find_failed, self.host_all_ignored).find(
            ordered, options.method
        )
        if not isinstance(found, tuple):
            return found
        return await self.assign(visit, found, transport=transport)
