"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8). A name may be subscribed to before and after it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Subscribe(Command, name="SUBSCRIBE", states=State.LOGGED_IN):
    __slots__ = ("mailbox_name",)
    wanted = True

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)

    async def run(self, session: Session) -> Answer:
        await session.mail.set_subscribed(self.mailbox_name.removesuffix("/"), self.wanted)
        return self.done()


class Unsubscribe(Subscribe, name="UNSUBSCRIBE", states=State.LOGGED_IN):
    __slots__ = ()
    wanted = False
