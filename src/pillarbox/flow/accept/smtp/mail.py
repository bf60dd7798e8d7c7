"""MAIL FROM: a transaction begins (RFC 5321 §4.1.1.2)."""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.auth_sender import believed
from pillarbox.flow.accept.finish.rewriting import rewrite_early
from pillarbox.flow.accept.listening import tell_lists
from pillarbox.flow.accept.membership import may_leave_unqualified
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.smtp.helo import protocol_name
from pillarbox.flow.accept.smtp.protocol_error import log_unqualified
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept, Discard
from pillarbox.flow.facts import MessageFacts
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import dsn, printable
from pillarbox.wire.smtp.events import Mail

OK = Reply(250, "OK", "2.1.0")
PRDR_OK = Reply(250, "OK, PRDR Requested", "2.1.0")
TROUBLE = Reply(451, "Temporary local problem - please try later", "4.3.0")
NO_SPACE = Reply(452, "Space shortage, please try later", "4.3.1")
TOO_MANY = Reply(421, "too many messages in this connection", "4.7.0")


@verb(Mail)
async def handle(session: Session, event: Mail) -> None:
    policy = session.policy
    if not session.origin.helo:
        await tell_lists(session, "hosts_require_helo")
    session.messages += 1
    session.live.count_rcpts_anew()
    session.body_type = event.body or session.body_type
    if 0 < session.messages_max < session.messages:
        line = f"rejected MAIL command {session.described()}: too many messages in one connection"
        log_rejection(session, line)
        session.reply(TOO_MANY, close=False)  # it may say QUIT
        return
    if session.mail_brake is not None:
        await session.mail_brake.slow_down(session.messages)
    sender = event.sender
    auth_sender = await believed(session, event.auth) if event.auth and event.auth != "<>" else ""
    if auth_sender is None:
        return
    if sender is not None and policy.rewriting is not None:
        try:
            sender = await rewrite_early(policy.rewriting, sender, event.written, session.new_scope())
        except (ExpansionFailed, ExpansionDeferred) as error:
            session.services.journal.main(f"address rewriting: {error}")
            session.reply(TROUBLE)
            return
    if policy.space is not None and (short := policy.space.shortage(event.size or 0)):
        session.services.journal.main(short)
        session.reply(NO_SPACE)
        return
    if sender is not None and "@" not in sender:
        if not await may_leave_unqualified(session, policy.sender_unqualified_hosts):
            log_unqualified(session, "sender", sender)
            shown = event.written.strip() or f"<{sender}>"
            session.reply(Reply(501, f"{shown}: sender address must contain a domain", "5.1.7"))
            return
        sender = f"{sender}@{policy.qualify_domain}"
    local = session.local
    if local is not None and not local.is_trusted and not await _may_be(session, sender):
        sender = f"{local.login}@{policy.qualify_domain}"
    if event.smtputf8 or session.origin.protocol.startswith("utf8"):
        session.update_origin(protocol=protocol_name(session, is_esmtp=True, is_utf8=event.smtputf8))
    facts = MessageFacts("", sender, session.services.clock.now())
    facts.size = event.size or -1
    facts.auth_sender, facts.is_smtputf8 = auth_sender, event.smtputf8
    facts.variables = dict(session.variables)
    transaction = Transaction(event, facts, session.new_scope(facts))
    verdict = await run_acl(session, "mail", transaction.scope, None, transaction)
    if not isinstance(verdict, Accept | Discard):
        written = printable(event.written.rstrip(" \t")) or f"<{event.sender or ''}>"
        refuse(session, f"MAIL {written}", verdict, wishes=dsn(event, (), session.services.log_style))
        return
    if isinstance(verdict, Discard):
        transaction.discarded_by = "MAIL"
        transaction.discard_text = verdict.reason.log
    session.transaction = transaction
    session.live.prdr_requested = event.prdr
    session.reply(reply_to(verdict, PRDR_OK if event.prdr else OK))


async def _may_be(session: Session, sender: str | None) -> bool:
    """`untrusted_set_sender`: whether a program of somebody who is not trusted may name this sender."""
    allowed = session.policy.local_senders.may_be_set
    if allowed is None:
        return False
    scope = session.new_scope()
    try:
        return bool(await allowed.matches(sender or "", scope))
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.main(f"untrusted_set_sender: {error}")
        return False
