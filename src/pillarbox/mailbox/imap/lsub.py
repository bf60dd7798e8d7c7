"""LSUB (RFC 3501 §6.3.9): subscribed names. With `%`, a level above a subscribed name stands for it as \\Noselect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State
from pillarbox.mailbox.imap.list import is_matched
from pillarbox.mailbox.patterns import SEPARATOR, is_reasonable
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.mailbox_name import parse_list_mailbox, parse_mailbox
from pillarbox.wire.imap.options import ListArguments
from pillarbox.wire.imap.writing import mailbox as mailbox_text
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Lsub(Command, name="LSUB", states=State.LOGGED_IN):
    __slots__ = ("arguments",)

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        reference = parse_mailbox(cursor)
        cursor.space()
        pattern = parse_list_mailbox(cursor)
        if not is_reasonable(pattern):
            raise BadSyntax("Too many wildcards")
        self.arguments = ListArguments(reference, (pattern,))

    async def run(self, session: Session) -> Answer:
        subscribed = [info.name for info in await session.mail.list_mailboxes() if info.is_subscribed]
        shown = {name: b"" for name in subscribed if is_matched(name, self.arguments)}
        if "%" in self.arguments.patterns[0]:
            for name in subscribed:
                if name not in shown:
                    self._show_parents(name, shown)
        for name in sorted(shown, key=lambda name: (name != "INBOX", name)):
            text = mailbox_text(name, is_utf8=session.dialect.is_utf8)
            session.send(untagged(b'LSUB (%b) "/" %b' % (shown[name], text)))
        return self.done()

    def _show_parents(self, name: str, shown: dict[str, bytes]) -> None:
        while SEPARATOR in name:
            name = name.rpartition(SEPARATOR)[0]
            if is_matched(name, self.arguments):
                shown.setdefault(name, rb"\Noselect")
