"""ACLs called from expansions: `${acl{name}{argument}…}` (Exim 11.5). What they set and add counts as if the ACL around had done it.

Within an ACL the one that runs is the caller; elsewhere (a router's option, a banner) the call has a state of its own.
"""

from __future__ import annotations

from typing import assert_never

from pillarbox.flow.check.acl.state import AclState, CheckServices
from pillarbox.flow.check.verdict import Accept, Defer, Deny, Discard, Drop
from pillarbox.flow.facts import AclArguments, MessageFacts
from pillarbox.language.expand.acls import AclResult
from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Origin

MAX_ARGUMENTS = 9


class ExpansionCalls:
    """`language.expand.acls.Acls`; made once per configuration."""

    def __init__(self, services: CheckServices) -> None:
        self._services = services

    async def call(self, name: str, arguments: tuple[str, ...], scope: Scope) -> AclResult:
        try:
            acl = self._services.acls.find(name)
        except ExpansionFailed:
            return AclResult("ERROR")
        caller = scope.facet(AclState)
        inner = scope.with_facet(AclArguments, AclArguments(arguments[:MAX_ARGUMENTS]))
        origin, facts = scope.facet(Origin) or Origin(), scope.facet(MessageFacts) or MessageFacts()
        if caller is None:
            state = AclState("unknown", inner, origin, facts, self._services)
        else:
            state = AclState(
                caller.where,
                inner,
                caller.connection,
                caller.facts,
                caller.services,
                caller.recipient,
                caller.controls,
                caller.headers,
                caller.memory,
            )
            state.depth, state.command_rates = caller.depth, caller.command_rates
        verdict = await acl.run(state)
        if caller is not None:
            caller.has_called = True
        match verdict:
            case Accept(text=text):
                return AclResult("OK", text)
            case Deny(reason=reason):
                return AclResult("FAIL", reason.peer)
            case Defer(reason=reason):
                return AclResult("DEFER", reason.peer)
            case Discard(reason=reason):
                return AclResult("DISCARD", reason.peer)
            case Drop(reason=reason):
                return AclResult("FAIL_DROP", reason.peer)
            case _ as unreachable:
                assert_never(unreachable)
