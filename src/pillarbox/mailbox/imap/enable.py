"""ENABLE (RFC 9051 §6.3.1): the client says which newer behaviour it understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Enable(Command, name="ENABLE", states=State.LOGGED_IN):
    __slots__ = ("wanted",)

    def parse(self, cursor: Cursor) -> None:
        self.wanted: list[str] = []
        while not self.wanted or not cursor.at_end():
            cursor.space()
            self.wanted.append(cursor.atom().upper())

    async def run(self, session: Session) -> Answer:
        dialect = session.dialect
        enabled = []
        for name in dict.fromkeys(self.wanted):
            match name:
                case "IMAP4REV2" if not dialect.is_rev2:
                    dialect.is_rev2 = dialect.is_utf8 = True
                    enabled.append("IMAP4rev2")
                case "UTF8=ACCEPT":
                    dialect.is_utf8 = True
                    enabled.append(name)
                case "CONDSTORE":
                    dialect.has_condstore = True
                    enabled.append(name)
                case "QRESYNC":
                    dialect.has_condstore = dialect.has_qresync = True
                    enabled.append(name)
        session.engine.accepts_utf8 = session.engine.names_are_utf8 = dialect.is_utf8
        session.send(untagged(" ".join(["ENABLED", *enabled]).encode("ascii")))
        return self.done()
