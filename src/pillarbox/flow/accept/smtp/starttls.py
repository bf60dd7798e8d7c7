"""STARTTLS (RFC 3207): after it everything begins anew, and nothing said before counts."""

from __future__ import annotations

from pillarbox.flow.accept.session import Session, verb
from pillarbox.flow.check.verdict import Accept
from pillarbox.mail.reply import Reply
from pillarbox.wire.smtp.events import StartTls

HANDSHAKE_TIMEOUT = 60.0


@verb(StartTls)
async def handle(session: Session, event: StartTls) -> None:
    if not session.policy.tls_available:
        session.reply(Reply(454, "TLS currently unavailable", "4.7.0"))
        return
    verdict = await session.check("starttls", session.new_scope())
    if not isinstance(verdict, Accept):
        session.refuse("STARTTLS", verdict, code=554)
        return
    session.forget_transaction()
    session.reply(Reply(220, "TLS go ahead"))
    await session.flush()
    await session.stream.start_tls_server(HANDSHAKE_TIMEOUT)
    session.engine.upgraded()
    session.update_origin(
        helo="",
        protocol="smtp",
        authenticated_id="",
        authenticator="",
        tls_cipher=session.stream.tls_cipher,
        tls_sni=session.stream.tls_sni,
    )
