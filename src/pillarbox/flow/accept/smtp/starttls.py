"""STARTTLS (RFC 3207): after it everything begins anew, and nothing said before counts.

`tls_remember_esmtp` keeps the EHLO, for clients that forget to repeat it (Exim 14).
"""

from __future__ import annotations

from pillarbox.flow.accept.acls import run_acl
from pillarbox.flow.accept.refusing import refuse
from pillarbox.flow.accept.securing import log_failure, log_in_by_certificate, prepare, secure
from pillarbox.flow.accept.session import Session
from pillarbox.flow.accept.verbs import verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.ports.network import DialError
from pillarbox.wire.smtp.events import StartTls

UNAVAILABLE = Reply(454, "TLS currently unavailable", "4.7.0")


@verb(StartTls)
async def handle(session: Session, event: StartTls) -> None:
    if not session.policy.tls_available:
        session.reply(UNAVAILABLE)
        return
    verdict = await run_acl(session, "starttls", session.new_scope())
    if not isinstance(verdict, Accept):
        refuse(session, "STARTTLS ", verdict)  # as the real one has it
        return
    try:
        prepared = await prepare(session)
    except DialError as error:
        log_failure(session, error)
        session.reply(UNAVAILABLE)
        return
    await session.forget_transaction()
    session.reply(Reply(220, "TLS go ahead"))
    await session.flush()
    await secure(session, prepared)
    rules = session.policy.tls_rules
    keeps_helo = rules is not None and rules.remembers_helo
    session.engine.upgraded(keeps_helo=keeps_helo)
    if not keeps_helo:
        session.update_origin(helo="")
    session.update_origin(protocol="smtp", authenticated_id="", authenticator="")
    await log_in_by_certificate(session)
