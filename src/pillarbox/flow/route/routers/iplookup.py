"""iplookup: ask a host by TCP or UDP where an address goes (Exim chapter 19).

The hosts are asked in order until one answers; what it says, as a whole or put together from what `response_pattern` caught, replaces the
address. An answer to the default query must repeat the question behind the first white space.
"""

from __future__ import annotations

import msgspec

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration
from pillarbox.flow.route.redirection import Address, parse_address
from pillarbox.flow.route.result import Declined, LogLine, Passed, Redirected, RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.taint import plain
from pillarbox.language.expand.template import Template
from pillarbox.language.match.items import split
from pillarbox.language.regex import RegexError, compile_regex, search
from pillarbox.mail.address import quote_local_part
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish

_MAX_ANSWER = 512


class IpLookup(Router, driver="iplookup"):
    """Replace the address by what a host answers."""

    hosts: str = option(default="", doc="Hosts to ask, in this order.")
    optional: bool = option(default=False, doc="Decline, not defer, when none answers.")
    port: int = option(default=0, doc="Port to ask at.")
    protocol: str = option(default="", doc="udp (unset too) or tcp.")
    query: Template | None = option(default=None, doc="What to send; unset: the address twice.")
    reroute: Template | None = option(
        default=None, doc="The new address, made of what the pattern caught; unset: as it was answered."
    )
    response_pattern: str | None = option(default=None, doc="What a good answer looks like.")
    timeout: Duration = option(default="5s", doc="Wait so long for an answer.")

    must_have_transport = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port <= 0:
            raise OptionError("a port must be specified", "port")
        if not self.hosts:
            raise OptionError("a host list must be specified", "hosts")
        if self.protocol not in ("", "udp", "tcp"):
            raise OptionError("protocol not specified as udp or tcp", "protocol")
        if self.response_pattern is not None:
            try:
                compile_regex(self.response_pattern)
            except RegexError as error:
                raise OptionError(str(error), "response_pattern") from None

    async def route(self, visit: Visit) -> RouteResult:
        address = f"{quote_local_part(visit.local_part)}@{visit.domain}"
        query = f"{address} {address}"
        if self.query is not None:
            query = await self._expanded(self.query, visit)
        answer = await self._ask_all(query, visit)
        if answer is None:
            if self.optional:
                return Passed()
            return self.postpone(visit, f"{self.name} router: failed to communicate with any host")
        captures = self._captures(answer, address)
        if captures is None:
            return Declined("the answer is not to the point")
        visit.scope.captures = captures
        text = answer.split(None, 1)[0] if answer.split() else ""
        if self.reroute is not None:
            text = await self._expanded(self.reroute, visit)
        return self._rerouted(text, visit)

    async def _expanded(self, template: Template, visit: Visit) -> str:
        """Raises ExpansionFailed, ExpansionDeferred."""
        try:
            return plain(await visit.expand(template))
        except (ExpansionFailed, ExpansionDeferred) as error:
            kind = ExpansionDeferred if isinstance(error, ExpansionDeferred) else ExpansionFailed
            raise kind(f"{self.name} router: failed to expand {template.source}: {error}") from None

    async def _ask_all(self, query: str, visit: Visit) -> str | None:
        """The first answer of any host."""
        sockets = visit.services.language.facts.get(Sockets)
        if sockets is None:
            return None
        for host, _ in split(self.hosts):
            wish = SocketWish(
                host=host,
                port=str(self.port),
                request=query.encode("utf-8", "surrogateescape"),
                shuts_down=True,
                is_udp=self.protocol != "tcp",
            )
            try:
                data = await sockets.ask(wish, timeout=self.timeout, limit=_MAX_ANSWER)  # type: ignore[attr-defined]
            except SocketTrouble:
                continue
            if data:
                return str(data.decode("utf-8", "surrogateescape")).rstrip()
        return None

    def _captures(self, answer: str, address: str) -> list[str] | None:
        """`$0 $1 …`; None when the answer is wrong."""
        if self.response_pattern is not None:
            return search(compile_regex(self.response_pattern), answer)
        if self.query is None:
            _, _, rest = answer.partition(" ")
            if rest.strip() != address:
                return None
        return [answer]

    def _rerouted(self, text: str, visit: Visit) -> RouteResult:
        found = parse_address(text)
        if not isinstance(found, Address) or not found.domain:
            problem = f"{self.name} router: reroute string {text} is not of the form user@domain"
            visit.log.append(LogLine(problem))
            return self.postpone(visit, problem)
        child = visit.candidate.child(
            f"{found.local_part}@{found.domain}", self.name, is_caseful=self.caseful_local_part
        )
        child = msgspec.structs.replace(
            child, start_router=self.redirect_router, address_data=visit.address_data
        )
        return Redirected((child,))
