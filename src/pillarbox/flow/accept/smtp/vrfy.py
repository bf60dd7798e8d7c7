"""VRFY and EXPN (RFC 5321 §3.5; Exim 49.7): for those whom an ACL lets, else 252 and 550, which tell nothing.

EXPN tells what the first redirection leads to, not where all of it ends.
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.membership import is_surely_in
from pillarbox.flow.accept.refusing import VRFY_REFUSED, refuse
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.smtp.protocol_error import log_unqualified
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.acl.state import CheckDeferred
from pillarbox.flow.check.verdict import Accept
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Routed
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.scope import Scope
from pillarbox.mail.envelope import Recipient
from pillarbox.mail.reply import Reply
from pillarbox.wire.exim.log_line import printable
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
        if session.local is None and not await is_surely_in(session, policy.recipient_unqualified_hosts):
            log_unqualified(session, "verify", address)
            session.reply(Reply(501, f"{address}: recipient address must contain a domain", "5.1.3"))
            return
        address = f"{address}@{policy.qualify_recipient}"
    candidate = Candidate.first(Recipient(address))
    scope = _scope_of(session, candidate)
    verdict = await run_acl(session, "vrfy", scope, candidate)
    if not isinstance(verdict, Accept):
        refuse(session, f"VRFY {event.argument}", verdict, code=VRFY_REFUSED)
        return
    await _answer(session, candidate, scope, event.argument)


@verb(Expn)
async def expand(session: Session, event: Expn) -> None:
    address = event.argument.strip()
    if "@" not in address:
        address = f"{address}@{session.policy.qualify_recipient}"
    candidate = Candidate.first(Recipient(address))
    scope = _scope_of(session, candidate)
    verdict = await run_acl(session, "expn", scope, candidate)
    if not isinstance(verdict, Accept):
        refuse(session, f"EXPN {event.argument}".rstrip(), verdict)
        return
    session.reply(
        _members(candidate.address, await session.services.checks.verifier.expand(candidate, scope))
    )


def _scope_of(session: Session, candidate: Candidate) -> Scope:
    """Behind MAIL the sender is known, which routers may ask for (`senders`)."""
    scope = session.new_scope() if session.transaction is None else session.transaction.scope
    return scope.with_facet(Candidate, candidate)


def _members(address: str, routed: Routed) -> Reply:
    if routed.made:
        made = (each if isinstance(each, Candidate) else each.candidate for each in routed.made)
        return Reply(250, "\n".join(f"<{each.address}>" for each in made), "2.1.5")
    if routed.refused:
        return Reply(553, f"{address} is undeliverable", "5.1.1")
    if routed.postponed:
        return Reply(553, f"{address} cannot be resolved at this time", "5.3.0")
    if routed.discarded:
        return Reply(250, f"mail to <{address}> is discarded", "2.1.5")
    return Reply(250, f"<{address}>", "2.1.5")


async def _answer(session: Session, candidate: Candidate, scope: Scope, written: str) -> None:
    """`written`: the address as the client has it."""
    try:
        reason = await session.services.checks.verifier.verify(candidate, scope, is_sender=False)
    except CheckDeferred as error:
        address, why = f"<{candidate.address}>", error.reason.peer
        text = f"{address} {why}" if why else f"Cannot resolve {address} at this time"
        session.reply(Reply(451, text, "4.3.0"))
        return
    if reason is None:
        session.reply(Reply(250, f"<{candidate.address}> is deliverable", "2.1.5"))
    else:
        session.services.journal.main(f"VRFY failed for {printable(written)} {session.described()}".rstrip())
        text = reason.peer or "Unrouteable address"
        session.reply(Reply(550, f"<{candidate.address}> {text}", "5.1.1"))
