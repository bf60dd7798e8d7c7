"""MAIL FROM: a transaction begins (RFC 5321 §4.1.1.2)."""

from __future__ import annotations

from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.check.verdict import Accept, Discard, Drop
from pillarbox.flow.facts import MessageFacts
from pillarbox.mail.reply import Reason, Reply
from pillarbox.wire.smtp.events import Mail

OK = Reply(250, "OK", "2.1.0")
UNQUALIFIED = Reply(501, "sender address must contain a domain", "5.1.7")


@verb(Mail)
async def handle(session: Session, event: Mail) -> None:
    sender = event.sender
    if sender is not None and "@" not in sender:
        if not session.origin.authenticator:
            session.reject(f"MAIL <{sender}>", Reason(UNQUALIFIED.text))
            session.reply(UNQUALIFIED)
            return
        sender = f"{sender}@{session.policy.qualify_domain}"
    facts = MessageFacts("", sender, session.services.clock.now())
    facts.size = event.size or -1
    facts.variables = dict(session.variables)
    transaction = Transaction(event, sender, facts, session.new_scope(facts))
    verdict = await session.check("mail", transaction.scope, None, transaction)
    if isinstance(verdict, Accept | Discard):
        transaction.is_discarded = isinstance(verdict, Discard)
        session.transaction = transaction
        session.reply(reply_to(verdict, OK))
        return
    session.reject(f"MAIL <{sender or ''}>", verdict.reason)
    session.reply(reply_to(verdict, OK), close=isinstance(verdict, Drop))
