"""The ACL of each point of a session (Exim 44.2): run, and what it says about the session itself obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from pillarbox.flow.accept.listening import tell
from pillarbox.flow.accept.policy import Where
from pillarbox.flow.accept.refusing import tell_misfit
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.acl.state import AclState, CheckMemory
from pillarbox.flow.check.verdict import Accept, Deny, Discard, Verdict
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.reply import Reason

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

CLOSED_BY_DEFAULT: frozenset[Where] = frozenset({"rcpt", "vrfy", "expn", "etrn"})
SAYS_ACCEPTED: Mapping[Where, int] = {
    "connect": 220,
    "etrn": 250,
    "helo": 250,
    "mail": 250,
    "predata": 354,
    "quit": 221,
    "rcpt": 250,
}
"""Where the text of an ACL that accepts is told the client, and with what code."""


async def run_acl(
    session: Session,
    where: Where,
    scope: Scope,
    recipient: Candidate | None = None,
    transaction: Transaction | None = None,
) -> Verdict:
    """What it controls and adds is kept in the transaction."""
    acl = session.policy.acls.get(where)
    if acl is None:
        if where not in CLOSED_BY_DEFAULT:
            return Accept()
        tell(session, "ACL is NULL: implicit DENY")
        return Deny(Reason(""))
    state = _state(session, where, scope, recipient, transaction)
    facts = state.facts
    verdict = await acl.run(state)
    session.log_targets = state.targets
    if session.memory.controls:
        _obey(session, session.memory.controls)
    said = verdict.text if isinstance(verdict, Accept) else verdict.reason.peer
    if said and where in SAYS_ACCEPTED and isinstance(verdict, Accept | Discard):
        tell_misfit(session, said, SAYS_ACCEPTED[where], facts.id)
    if facts.variables:
        session.variables = {n: value for n, value in facts.variables.items() if n.startswith("acl_c")}
    return verdict


def _state(
    session: Session,
    where: Where,
    scope: Scope,
    recipient: Candidate | None,
    transaction: Transaction | None,
) -> AclState:
    facts = scope.facet(MessageFacts) or MessageFacts()
    checks, memory = session.services.checks, session.memory
    if transaction is None:
        return AclState(where, scope, session.origin, facts, checks, recipient, memory=memory)
    memory = transaction.memory = transaction.memory or CheckMemory(memory)
    controls, changes = transaction.controls, transaction.changes
    return AclState(where, scope, session.origin, facts, checks, recipient, controls, changes, memory)


def _obey(session: Session, controls: set[str]) -> None:
    """Those of `control` that are about the protocol."""
    settings = session.engine.settings
    changed = msgspec.structs.replace(
        settings,
        enforce_sync=settings.has_socket
        and ("enforce_sync" in controls or (settings.enforce_sync and "no_enforce_sync" not in controls)),
        auth_unadvertised="allow_auth_unadvertised" in controls,
    )
    if changed != settings:
        session.engine.change(changed)
