"""DELETE (RFC 9051 §6.3.5). INBOX stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Delete(Command, name="DELETE", states=State.LOGGED_IN):
    __slots__ = ("mailbox_name",)

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)

    async def run(self, session: Session) -> Answer:
        if self.mailbox_name == "INBOX":
            return no("[CANNOT] INBOX cannot be deleted")
        if session.selected is not None and session.selected.mailbox.name == self.mailbox_name:
            session.unselect()
            session.send(b"* OK [CLOSED] The mailbox is being deleted\r\n")
        await session.mail.delete(self.mailbox_name)
        return self.done()
