"""APPEND (RFC 9051 §6.3.12), several messages at once (RFC 3502), UIDs told (RFC 4315), UTF-8 headers (RFC 6855 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.ports.mailstore import NewMessage, NoSuchMailbox
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.dates import parse_date_time
from pillarbox.wire.imap.flags import parse_flags
from pillarbox.wire.imap.mailbox_name import parse_mailbox
from pillarbox.wire.imap.sequence_set import format_set

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Append(Command, name="APPEND", states=State.LOGGED_IN):
    __slots__ = ("mailbox_name", "messages")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)
        self.messages = [_message(cursor)]
        while not cursor.at_end():
            self.messages.append(_message(cursor))

    async def run(self, session: Session) -> Answer:
        if not all(message.data for message in self.messages):
            return no("An empty message is none")
        try:
            appended = await session.mail.append(self.mailbox_name, self.messages)
        except NoSuchMailbox:
            return no("[TRYCREATE] No such mailbox")
        uids = format_set(appended.uids).decode("ascii")
        return self.done(f"APPENDUID {appended.uid_validity} {uids}")


def _message(cursor: Cursor) -> NewMessage:
    cursor.space()
    flags: frozenset[str] = frozenset()
    internal_date: float | None = None
    if cursor.peek() == b"(":
        flags = parse_flags(cursor)
        cursor.space()
    if cursor.peek() == b'"':
        internal_date = parse_date_time(cursor)
        cursor.space()
    is_wrapped = cursor.take(b"UTF8")
    if is_wrapped:
        cursor.space()
        cursor.expect(b"(")
    data = cursor.literal()
    if is_wrapped:
        cursor.expect(b")")
    return NewMessage(data, flags, internal_date)
