"""STATUS (RFC 9051 §6.3.11; HIGHESTMODSEQ RFC 7162, SIZE RFC 8438, APPENDLIMIT RFC 7889)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox
from pillarbox.wire.imap.options import parse_status_items
from pillarbox.wire.imap.writing import mailbox as mailbox_text
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Status(Command, name="STATUS", states=State.LOGGED_IN):
    __slots__ = ("items", "mailbox_name")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)
        cursor.space()
        self.items = parse_status_items(cursor)

    async def run(self, session: Session) -> Answer:
        session.send(await status_line(session, self.mailbox_name, self.items))
        return self.done()


async def status_line(session: Session, name: str, items: Iterable[str]) -> bytes:
    """The STATUS response. Raises NoSuchMailbox."""
    status = await session.mail.status(name)
    if "HIGHESTMODSEQ" in items:
        session.dialect.has_condstore = True
    values = {
        "MESSAGES": status.messages,
        "UIDNEXT": status.uid_next,
        "UIDVALIDITY": status.uid_validity,
        "UNSEEN": status.unseen,
        "DELETED": status.deleted,
        "SIZE": status.size,
        "RECENT": 0,
        "HIGHESTMODSEQ": status.highest_modseq,
        "APPENDLIMIT": session.settings.limits.message,
    }
    pairs = " ".join(f"{item} {values[item]}" for item in items)
    return untagged(
        b"STATUS %b (%b)" % (mailbox_text(name, is_utf8=session.dialect.is_utf8), pairs.encode("ascii"))
    )
