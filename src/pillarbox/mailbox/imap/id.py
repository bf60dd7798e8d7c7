"""ID (RFC 2971): who are you? The client's answer is read and let go; the server's has no version for a stranger to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_MOST = 60
"""Strings in the list: thirty pairs (RFC 2971 §3.3)."""


class Id(Command, name="ID"):
    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        if cursor.take(b"NIL"):
            return
        values = cursor.parenthesised(Cursor.nstring, may_be_empty=True)
        if len(values) % 2 or len(values) > _MOST:
            raise BadSyntax("Expected at most thirty pairs")

    async def run(self, session: Session) -> Answer:
        session.send(untagged(b'ID ("name" "Pillarbox")'))
        return self.done()
