"""LOGIN (RFC 9051 §6.2.3): refused where somebody may listen (LOGINDISABLED)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.admission import NOT_CONFIDENTIAL, admit
from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.wire.imap.cursor import BadSyntax, Cursor

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Login(Command, name="LOGIN", states=State.NOT_AUTHENTICATED):
    __slots__ = ("account_name", "password")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        name = cursor.astring()
        cursor.space()
        password = cursor.astring()
        try:
            self.account_name, self.password = name.decode("utf-8"), password.decode("utf-8")
        except UnicodeDecodeError:
            raise BadSyntax("Name and password must be UTF-8") from None

    async def run(self, session: Session) -> Answer:
        if not session.is_confidential:
            return no(NOT_CONFIDENTIAL)
        outcome = await session.services.logins.password(self.account_name, self.password, session.peer)
        return await admit(session, outcome)
