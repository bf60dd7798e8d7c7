"""STORE (RFC 9051 §6.4.6), conditional with UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.mailbox.imap.selected import Selected
from pillarbox.ports.mailstore import FlagAction, StoreResult
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.flags import parse_flags
from pillarbox.wire.imap.sequence_set import format_set, parse_sequence_set

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_ITEM = re.compile(rb"([+-]?)FLAGS(\.SILENT)?(?= )", re.IGNORECASE)
_ACTIONS: dict[bytes, FlagAction] = {b"": "set", b"+": "add", b"-": "remove"}


class Store(Command, name="STORE", states=State.SELECTED, has_uid_form=True, hides_expunges=True):
    __slots__ = ("action", "flags", "is_silent", "numbers", "unchanged_since")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.numbers = parse_sequence_set(cursor)
        cursor.space()
        self.unchanged_since: int | None = None
        if cursor.take(b"(UNCHANGEDSINCE "):
            self.unchanged_since = cursor.number()
            cursor.expect(b") ")
        found = cursor.match(_ITEM)
        if found is None:
            raise BadSyntax("Expected FLAGS, +FLAGS or -FLAGS")
        self.action = _ACTIONS[found[1]]
        self.is_silent = found[2] is not None
        cursor.space()
        self.flags = parse_flags(cursor)

    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        if selected.is_read_only:
            return no("The mailbox was opened read-only")
        if self.unchanged_since is not None:
            selected.dialect.has_condstore = True
        indexes = selected.indexes(self.numbers, by_uid=self.by_uid)
        uids = [entry.uid for entry in selected.entries(indexes)]
        result = await selected.mailbox.store_flags(
            uids, self.action, self.flags, unchanged_since=self.unchanged_since
        )
        selected.view.learn(result.changed)
        await self._tell(session, selected, result)
        return self._answer(selected, result)

    async def _tell(self, session: Session, selected: Selected, result: StoreResult) -> None:
        """Also after .SILENT when modseqs are followed: the client must learn the new ones (RFC 7162 §3.1.3)."""
        has_modseq = selected.dialect.has_condstore
        if self.is_silent and not has_modseq:
            return
        for entry in result.changed:
            at = selected.view.index(entry.uid)
            if at is None:
                continue
            if self.is_silent:
                session.send(b"* %d FETCH (UID %d MODSEQ (%d))\r\n" % (at + 1, entry.uid, entry.modseq))
            else:
                session.send(selected.flag_line(at + 1, entry))
            await session.output.drain()

    def _answer(self, selected: Selected, result: StoreResult) -> Answer:
        if not result.modified:
            return self.done()
        if self.unchanged_since is None:
            return no("[EXPUNGEISSUED] Some of the messages no longer exist")
        failed = list(result.modified)
        if not self.by_uid:
            failed = [at + 1 for at in map(selected.view.index, result.modified) if at is not None]
        return self.done(f"MODIFIED {format_set(sorted(failed)).decode('ascii')}")
