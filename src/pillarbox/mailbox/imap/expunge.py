"""EXPUNGE (RFC 9051 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). The EXPUNGE lines themselves come from the view's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.sequence_set import SequenceSet, parse_sequence_set

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session


class Expunge(Command, name="EXPUNGE", states=State.SELECTED, has_uid_form=True):
    __slots__ = ("numbers",)

    def parse(self, cursor: Cursor) -> None:
        self.numbers: SequenceSet | None = None
        if self.by_uid:
            cursor.space()
            self.numbers = parse_sequence_set(cursor)

    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        if selected.is_read_only:
            return no("The mailbox was opened read-only")
        uids: list[int] | None = None
        if self.numbers is not None:
            uids = [entry.uid for entry in selected.entries(selected.indexes(self.numbers, by_uid=True))]
        gone = await selected.mailbox.expunge(uids)
        await session.tell_changes(with_expunged=True)
        if gone and selected.dialect.has_condstore:
            return self.done(f"HIGHESTMODSEQ {selected.view.modseq}")
        return self.done()
