"""RCPT TO: may this client send to this address? (RFC 5321 §4.1.1.3.)"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.finish.rewriting import rewrite_early
from pillarbox.flow.accept.membership import may_leave_unqualified
from pillarbox.flow.accept.passing import ask_onward
from pillarbox.flow.accept.refusing import log_rejection, refuse
from pillarbox.flow.accept.rejection import reply_to
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.smtp.protocol_error import log_unqualified
from pillarbox.flow.accept.transaction import Transaction
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.acl.state import CUTTHROUGH, USUAL_TARGETS
from pillarbox.flow.check.verdict import Accept, Defer, Discard
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.percent_hack import meant_by
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.match.domains import DomainList
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import dsn, printable
from pillarbox.wire.smtp.events import Rcpt

OK = Reply(250, "Accepted", "2.1.5")
TROUBLE = Reply(451, "Temporary local problem - please try later", "4.3.0")


@verb(Rcpt)
async def handle(session: Session, event: Rcpt) -> None:
    transaction = session.transaction
    assert transaction is not None
    transaction.named += 1
    session.live.rcpt_count += 1
    if session.rcpt_brake is not None:
        await session.rcpt_brake.slow_down(transaction.named)
    address = event.address
    policy = session.policy
    if policy.rewriting is not None:
        try:
            address = await rewrite_early(policy.rewriting, address, event.written, transaction.scope)
        except (ExpansionFailed, ExpansionDeferred) as error:
            session.services.journal.main(f"address rewriting: {error}")
            session.live.note_refused_rcpt(TROUBLE.code)
            session.reply(TROUBLE)
            return
    if "@" not in address:
        if address.lower() != "postmaster" and not await may_leave_unqualified(
            session, policy.recipient_unqualified_hosts
        ):
            log_unqualified(session, "recipient", address)
            session.live.note_refused_rcpt(501)
            shown = event.written.strip() or f"<{address}>"
            session.reply(Reply(501, f"{shown}: recipient address must contain a domain", "5.1.3"))
            return
        address = f"{address}@{policy.qualify_recipient}"
    if transaction.discarded_by == "MAIL":
        _note_discarded(session, transaction, event, transaction.discard_text)
        session.reply(OK)
        return
    recipient = Recipient(address, event.notify, event.orcpt)
    candidate = Candidate.first(recipient)
    if policy.percent_hack is not None and "%" in candidate.local_part:
        candidate = await _meant(session, transaction, candidate, policy.percent_hack)
    scope = transaction.scope.with_facet(Candidate, candidate)
    verdict = await run_acl(session, "rcpt", scope, candidate, transaction)
    if CUTTHROUGH in transaction.controls and isinstance(verdict, Accept):
        onward = await ask_onward(session, transaction, candidate, scope)
        verdict = verdict if isinstance(onward, Accept) else onward
    if isinstance(verdict, Accept):
        transaction.recipients.append(recipient)
        transaction.facts.recipients_count += 1
        session.reply(reply_to(verdict, OK))
    elif isinstance(verdict, Discard):
        transaction.discarded_by = "RCPT"
        _note_discarded(session, transaction, event, verdict.reason.log)
        session.reply(reply_to(verdict, OK))
    else:
        session.live.note_refused_rcpt(450 if isinstance(verdict, Defer) else 550)
        wishes = dsn(transaction.mail, (recipient,), session.services.log_style)
        refuse(session, f"RCPT {_written(event)}", verdict, sender=transaction.sender or "", wishes=wishes)


def _written(event: Rcpt) -> str:
    return printable(event.written.rstrip(" \t")) if event.written else f"<{event.address}>"


async def _meant(
    session: Session, transaction: Transaction, candidate: Candidate, domains: DomainList
) -> Candidate:
    """What the ACL sees. A list that cannot say now means nothing; routing asks it again."""
    try:
        return await meant_by(candidate, domains, transaction.scope)
    except (ExpansionDeferred, ExpansionFailed) as error:
        session.services.journal.main(f"percent_hack_domains: {error}")
        return candidate


def _note_discarded(session: Session, transaction: Transaction, event: Rcpt, why: str) -> None:
    session.live.note_refused_rcpt(550)  # it counts as refused, whatever the client hears
    line = (
        f"{session.described()} F=<{transaction.sender or ''}> RCPT {_written(event)}: "
        f"discarded by {transaction.discarded_by} ACL"
    )
    session.log_targets = USUAL_TARGETS  # `log_reject_target` is about refusals
    log_rejection(session, f"{line}: {why}" if why else line)
