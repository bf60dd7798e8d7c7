"""VRFY and EXPN (RFC 5321 §3.5): for those whom an ACL lets, else 252 and 550, which tell nothing."""

from __future__ import annotations

from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.check.acl.state import CheckDeferred
from pillarbox.flow.check.verdict import Accept
from pillarbox.flow.route.candidate import Candidate
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Expn, Vrfy


@verb(Vrfy)
async def verify(session: Session, event: Vrfy) -> None:
    candidate = _candidate(session, event.argument)
    scope = session.new_scope().with_facet(Candidate, candidate)
    if not isinstance(await session.check("vrfy", scope, candidate), Accept):
        session.reply(Reply(252, "Administrative prohibition: send some mail, I'll try my best", "2.5.2"))
        return
    try:
        reason = await session.services.checks.verifier.verify(candidate, scope, is_sender=False)
    except CheckDeferred as error:
        session.reply(Reply(451, f"Cannot resolve {error.reason.peer or 'address'} at this time", "4.3.0"))
        return
    if reason is None:
        session.reply(Reply(250, f"<{candidate.address}> is deliverable", "2.1.5"))
    else:
        session.reply(Reply(550, reason.peer or "Unrouteable address", "5.1.1"))


@verb(Expn)
async def expand(session: Session, event: Expn) -> None:
    candidate = _candidate(session, event.argument)
    scope = session.new_scope().with_facet(Candidate, candidate)
    if isinstance(await session.check("expn", scope, candidate), Accept):
        session.reply(Reply(252, "Expansion is not available; the address would be tried", "2.5.2"))
    else:
        session.reply(Reply(550, "Administrative prohibition", "5.7.1"))


def _candidate(session: Session, argument: str) -> Candidate:
    address = argument.strip().strip("<>")
    if "@" not in address:
        address = f"{address}@{session.policy.qualify_recipient}"
    return Candidate.first(Recipient(address))
