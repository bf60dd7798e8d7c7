"""RCPT TO: may this client send to this address? (RFC 5321 §4.1.1.3.)"""

from __future__ import annotations

from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.check.verdict import Accept, Discard, Drop
from pillarbox.flow.route.candidate import Candidate
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import Rcpt

OK = Reply(250, "Accepted", "2.1.5")
UNQUALIFIED = Reply(501, "recipient address must contain a domain", "5.1.3")


@verb(Rcpt)
async def handle(session: Session, event: Rcpt) -> None:
    transaction = session.transaction
    assert transaction is not None
    address = event.address
    if "@" not in address:
        if address.lower() != "postmaster" and not session.origin.authenticator:
            session.reply(UNQUALIFIED)
            return
        address = f"{address}@{session.policy.qualify_recipient}"
    recipient = Recipient(address, event.notify, event.orcpt)
    candidate = Candidate.first(recipient)
    scope = transaction.scope.with_facet(Candidate, candidate)
    verdict = await session.check("rcpt", scope, candidate, transaction)
    match verdict:
        case Accept():
            transaction.recipients.append(recipient)
            transaction.facts.recipients_count += 1
        case Discard():
            pass
        case _:
            session.reject(f"RCPT <{event.address}>", verdict.reason, transaction.sender or "")
    session.reply(reply_to(verdict, OK), close=isinstance(verdict, Drop))
