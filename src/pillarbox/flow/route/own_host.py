"""A host list that leads to this machine: what the `self` option makes of it (Exim chapter 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.route.result import LogLine, Passed, Redirected, Refused, RouteResult
from pillarbox.flow.route.visit import Visit, plain_reason
from pillarbox.mail.address import quote_local_part

if TYPE_CHECKING:
    from pillarbox.flow.route.router import Router


async def routed_to_self(
    router: Router, visit: Visit, hostname: str, *, is_mx: bool = False
) -> RouteResult | None:
    """The first host is this machine: what `self` says; None for `send`. `is_mx`: an MX record said so."""
    text = (
        "lowest numbered MX record points to local host" if is_mx else "remote host address is the local host"
    )
    match router.self_action.what:
        case "send":
            return None
        case "pass":
            return Passed(router.pass_router, hostname, text)
        case "fail":
            return Refused(plain_reason(text))
        case "defer":
            return router.postpone(visit, text)
        case "freeze":
            is_delivery = visit.purpose == "deliver"
            about = (
                visit.domain if is_delivery else f"{visit.domain} (while routing <{visit.candidate.address}>)"
            )
            visit.log.append(LogLine(f"{text}: {about}"))
            return router.postpone(visit, text, is_frozen=True)
        case "reroute":
            return _reroute(router, visit, hostname)


def _reroute(router: Router, visit: Visit, hostname: str) -> Redirected:
    local = quote_local_part(visit.candidate.original_local_part)
    child = visit.candidate.child(
        f"{local}@{router.self_action.domain}", router.name, is_caseful=router.caseful_local_part
    )
    child = msgspec.structs.replace(
        child, address_data=visit.address_data, start_router=router.redirect_router
    )
    return Redirected((child,), new_domain=child.domain if router.self_action.rewrites else "")
