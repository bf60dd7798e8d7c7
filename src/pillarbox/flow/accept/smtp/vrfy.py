"""VRFY and EXPN (RFC 5321 §3.5; Exim 49.7): for those whom an ACL lets, else 252 and 550, which tell nothing.

Known gap: EXPN does not list the members of an alias.
"""

from __future__ import annotations

from pillarbox.flow.accept.session import VRFY_REFUSED, Session, verb
from pillarbox.flow.accept.smtp.protocol_error import log_unqualified
from pillarbox.flow.check.acl.state import CheckDeferred
from pillarbox.flow.check.verdict import Accept
from pillarbox.flow.route.candidate import Candidate
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Expn, Vrfy


@verb(Vrfy)
async def verify(session: Session, event: Vrfy) -> None:
    try:
        address = working_address(event.argument).address
    except AddressError as error:
        session.reply(Reply(501, str(error), "5.5.4"))
        return
    policy = session.policy
    if "@" not in address:
        if not await session.may_leave_unqualified(policy.recipient_unqualified_hosts):
            log_unqualified(session, "verify", address)
            session.reply(Reply(501, f"{address}: recipient address must contain a domain", "5.1.3"))
            return
        address = f"{address}@{policy.qualify_recipient}"
    candidate = Candidate.first(Recipient(address))
    scope = session.new_scope().with_facet(Candidate, candidate)
    verdict = await session.check("vrfy", scope, candidate)
    if not isinstance(verdict, Accept):
        session.refuse(f"VRFY {event.argument}", verdict, code=VRFY_REFUSED)
        return
    await _answer(session, candidate, scope, f"<{candidate.address}> is deliverable")


@verb(Expn)
async def expand(session: Session, event: Expn) -> None:
    address = event.argument.strip().strip("<>")
    if "@" not in address:
        address = f"{address}@{session.policy.qualify_recipient}"
    candidate = Candidate.first(Recipient(address))
    scope = session.new_scope().with_facet(Candidate, candidate)
    verdict = await session.check("expn", scope, candidate)
    if not isinstance(verdict, Accept):
        session.refuse(f"EXPN {event.argument}".rstrip(), verdict)
        return
    await _answer(session, candidate, scope, f"<{candidate.address}>")


async def _answer(session: Session, candidate: Candidate, scope: Scope, good: str) -> None:
    try:
        reason = await session.services.checks.verifier.verify(candidate, scope, is_sender=False)
    except CheckDeferred as error:
        text = f": {error.reason.peer}" if error.reason.peer else ""
        session.reply(Reply(451, f"<{candidate.address}> cannot be resolved at this time{text}", "4.3.0"))
        return
    if reason is None:
        session.reply(Reply(250, good, "2.1.5"))
    else:
        text = reason.peer or "Unrouteable address"
        session.reply(Reply(550, f"<{candidate.address}> {text}", "5.1.1"))
