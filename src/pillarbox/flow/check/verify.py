"""Address verification: would we deliver it? Routed with purpose `verify`, transports not asked (Exim 43.44)."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import CheckDeferred
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.chain import Chain
from pillarbox.flow.route.result import Postponed, Trouble
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.reply import Reason

UNROUTEABLE = "Unrouteable address"


class RoutingVerifier:
    """`Verifier` of acl/state.py, over the routers."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def verify(self, candidate: Candidate, scope: Scope, *, is_sender: bool) -> Reason | None:
        routed = await self._chain.route(candidate, "verify_sender" if is_sender else "verify", scope)
        trouble = next((each for each in routed.history if isinstance(each, Trouble)), None)
        if trouble is None:
            return None
        reason = trouble.result.reason
        if isinstance(trouble.result, Postponed):
            raise CheckDeferred(reason)
        return Reason(reason.log or UNROUTEABLE, reason.peer or UNROUTEABLE)
