"""accept: whoever meets the preconditions is taken (Exim chapter 16)."""

from __future__ import annotations

from pillarbox.flow.route.result import RouteResult
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit


class Accept(Router, driver="accept"):
    """Accept the address for the transport."""

    must_have_transport = True
    logs_as_local = True

    async def route(self, visit: Visit) -> RouteResult:
        return await self.assign(visit)
