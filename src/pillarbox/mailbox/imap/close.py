"""CLOSE and UNSELECT (RFC 9051 §6.4.1, §6.4.2): leave the mailbox, with or without removing what is marked \\Deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Close(Command, name="CLOSE", states=State.SELECTED):
    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        if not selected.is_read_only:
            await selected.mailbox.expunge()
        session.unselect()
        return self.done()


class Unselect(Command, name="UNSELECT", states=State.SELECTED):
    async def run(self, session: Session) -> Answer:
        session.unselect()
        return self.done()
