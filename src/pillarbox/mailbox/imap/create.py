"""CREATE (RFC 9051 §6.3.4), with CREATE-SPECIAL-USE (RFC 6154 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_USES = {use.upper(): use for use in ("\\Sent", "\\Drafts", "\\Trash", "\\Junk", "\\Archive")}


class Create(Command, name="CREATE", states=State.LOGGED_IN):
    __slots__ = ("mailbox_name", "uses")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)
        self.uses: list[str] = []
        if cursor.at_end():
            return
        cursor.space()
        cursor.expect(b"(USE")
        cursor.space()
        self.uses = cursor.parenthesised(_use, may_be_empty=True)
        cursor.expect(b")")

    async def run(self, session: Session) -> Answer:
        uses = [_USES.get(use.upper()) for use in self.uses]
        if None in uses or len(uses) > 1:
            return no("[USEATTR] That use cannot be given")
        await session.mail.create(self.mailbox_name.removesuffix("/"), (uses[0] or "") if uses else "")
        return self.done()


def _use(cursor: Cursor) -> str:
    if not cursor.take(b"\\"):
        raise BadSyntax("Expected a special use")
    return f"\\{cursor.atom()}"
