"""COPY (RFC 9051 §6.4.7) and MOVE (§6.4.8): the messages' new uids are told (COPYUID)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.ports.mailstore import Copied, NoSuchMailbox
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.mailbox_name import parse_mailbox
from pillarbox.wire.imap.sequence_set import format_set, parse_sequence_set
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Copy(Command, name="COPY", states=State.SELECTED, has_uid_form=True):
    __slots__ = ("numbers", "target")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.numbers = parse_sequence_set(cursor)
        cursor.space()
        self.target = parse_mailbox(cursor)

    async def run(self, session: Session) -> Answer:
        uids = self.uids(session)
        try:
            copied = await session.mailbox.mailbox.copy_to(uids, self.target)
        except NoSuchMailbox:
            return no("[TRYCREATE] No such mailbox")
        if len(copied.source) < len(uids) and not self.by_uid:
            return no("[EXPUNGEISSUED] Some of the messages no longer exist")
        return self.done(copy_uid(copied))

    def uids(self, session: Session) -> list[int]:
        selected = session.mailbox
        return [entry.uid for entry in selected.entries(selected.indexes(self.numbers, by_uid=self.by_uid))]


class Move(Copy, name="MOVE", states=State.SELECTED, has_uid_form=True):
    """The EXPUNGE lines come from the view's report, behind the COPYUID that explains them (RFC 6851 §4.3)."""

    __slots__ = ()

    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        if selected.is_read_only:
            return no("The mailbox was opened read-only")
        try:
            moved = await selected.mailbox.move_to(self.uids(session), self.target)
        except NoSuchMailbox:
            return no("[TRYCREATE] No such mailbox")
        if moved.source:
            session.send(untagged(f"OK [{copy_uid(moved)}] Moved".encode("ascii")))
        return self.done()


def copy_uid(copied: Copied) -> str:
    """The response code; empty when nothing was copied."""
    if not copied.source:
        return ""
    source, target = format_set(copied.source), format_set(copied.target)
    return f"COPYUID {copied.uid_validity} {source.decode('ascii')} {target.decode('ascii')}"
