"""NOOP (RFC 9051 §6.1.2) and CHECK (RFC 3501 §6.4.1): do nothing, hear the news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Noop(Command, name="NOOP"):
    async def run(self, session: Session) -> Answer:
        return self.done()


class Check(Command, name="CHECK", states=State.SELECTED):
    """Everything is durable before it is answered, so there is nothing to check-point."""

    async def run(self, session: Session) -> Answer:
        return self.done()
