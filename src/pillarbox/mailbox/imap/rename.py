"""RENAME (RFC 9051 §6.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Rename(Command, name="RENAME", states=State.LOGGED_IN):
    __slots__ = ("new", "old")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.old = parse_mailbox(cursor)
        cursor.space()
        self.new = parse_mailbox(cursor)

    async def run(self, session: Session) -> Answer:
        await session.mail.rename(self.old, self.new.removesuffix("/"))
        return self.done()
