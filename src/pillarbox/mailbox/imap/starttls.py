"""STARTTLS (RFC 9051 §6.2.1). What was sent in clear behind it is never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, bad
from pillarbox.wire.imap.writing import tagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class StartTls(Command, name="STARTTLS", states=State.NOT_AUTHENTICATED):
    async def run(self, session: Session) -> Answer | None:
        if session.connection.tls_cipher or not session.settings.can_start_tls:
            return bad("TLS is not to be had here")
        session.engine.upgrade()
        session.send(tagged(self.tag, "OK", "Begin TLS negotiation now"))
        await session.output.flush()
        await session.connection.start_tls_server(session.settings.tls_timeout)
        session.engine.upgrade()
        return None
