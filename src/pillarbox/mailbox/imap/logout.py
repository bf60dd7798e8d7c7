"""LOGOUT (RFC 9051 §6.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Logout(Command, name="LOGOUT"):
    async def run(self, session: Session) -> Answer:
        session.end("Goodbye")
        return self.done()
