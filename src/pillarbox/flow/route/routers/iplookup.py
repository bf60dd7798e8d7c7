"""iplookup: ask a host by TCP or UDP where an address goes (Exim chapter 19). Declared; it does not run yet."""

from __future__ import annotations

from pillarbox.config.declare import option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import Duration
from pillarbox.flow.route.result import RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.template import Template


class IpLookup(Router, driver="iplookup", inert="refused"):
    """Replace the address by what a host answers."""

    hosts: str = option(default="", doc="Hosts to ask, by address, in this order.")
    optional: bool = option(default=False, doc="Decline, not defer, when none answers.")
    port: int = option(default=0, doc="Port to ask at.")
    protocol: str = option(default="", doc="udp (unset too) or tcp.")
    query: Template | None = option(default=None, doc="What to send; unset: the address twice.")
    reroute: Template | None = option(
        default=None, doc="The new address, made of what the pattern caught; unset: as it was answered."
    )
    response_pattern: str | None = option(default=None, doc="What a good answer looks like.")
    timeout: Duration = option(default="5s", doc="Wait so long for an answer.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port <= 0:
            raise OptionError("a port must be specified", "port")
        if not self.hosts:
            raise OptionError("a host list must be specified", "hosts")
        if self.protocol not in ("", "udp", "tcp"):
            raise OptionError("protocol not specified as udp or tcp", "protocol")

    async def route(self, visit: Visit) -> RouteResult:
        return self.postpone(visit, f"{self.name} router: the driver iplookup cannot run yet")
