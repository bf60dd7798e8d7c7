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
    verdict = await session.check("vrfy", scope, candidate)
    if not isinstance(verdict, Accept):
        session.refuse(f"VRFY {event.argument}", verdict, code=252)
        return
    try:
        reason = await session.services.checks.verifier.verify(candidate, scope, is_sender=False)
    except CheckDeferred as error:
        text = f": {error.reason.peer}" if error.reason.peer else ""
        session.reply(Reply(451, f"<{candidate.address}> cannot be resolved at this time{text}", "4.3.0"))
        return
    if reason is None:
        session.reply(Reply(250, f"<{candidate.address}> is deliverable", "2.1.5"))
    else:
        text = reason.peer or "Unrouteable address"
        session.reply(Reply(550, f"<{candidate.address}> {text}", "5.1.1"))


@verb(Expn)
async def expand(session: Session, event: Expn) -> None:
    candidate = _candidate(session, event.argument)
    scope = session.new_scope().with_facet(Candidate, candidate)
    verdict = await session.check("expn", scope, candidate)
    if isinstance(verdict, Accept):
        session.reply(Reply(252, "Expansion is not available; the address would be tried", "2.5.2"))
    else:
        session.refuse(f"EXPN {event.argument}", verdict)


def _candidate(session: Session, argument: str) -> Candidate:
    address = argument.strip().strip("<>")
    if "@" not in address:
        address = f"{address}@{session.policy.qualify_recipient}"
    return Candidate.first(Recipient(address))
