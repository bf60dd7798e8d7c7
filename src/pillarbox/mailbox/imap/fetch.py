"""FETCH (RFC 9051 §6.4.5), CHANGEDSINCE and VANISHED (RFC 7162), BINARY (RFC 3516)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pillarbox.mail.decoding import UnknownEncoding
from pillarbox.mailbox.imap.command import Answer, Command, State, bad, no
from pillarbox.mailbox.imap.fetch_rendering import Quick, Rendering
from pillarbox.mailbox.imap.selected import Selected
from pillarbox.mailbox.imap.vanished import vanished
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.fetch_items import Binary, FetchItem, Plain, Text, parse_fetch_items
from pillarbox.wire.imap.sequence_set import parse_sequence_set

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_BATCH = 64
"""Messages marked \\Seen by one change of the store."""
_UID, _MODSEQ = Plain("UID"), Plain("MODSEQ")


class Fetch(Command, name="FETCH", states=State.SELECTED, has_uid_form=True, hides_expunges=True):
    __slots__ = ("changed_since", "items", "numbers", "wants_vanished")

    def parse(self, cursor: Cursor) -> None:
        cursor.space()
        self.numbers = parse_sequence_set(cursor)
        cursor.space()
        items = parse_fetch_items(cursor)
        self.changed_since: int | None = None
        self.wants_vanished = False
        if not cursor.at_end():
            cursor.space()
            cursor.parenthesised(self._modifier)
        if self.wants_vanished and (not self.by_uid or self.changed_since is None):
            raise BadSyntax("VANISHED needs UID FETCH and CHANGEDSINCE")
        added = [_UID] if self.by_uid else []
        if self.changed_since is not None:
            added.append(_MODSEQ)
        self.items: tuple[FetchItem, ...] = tuple(dict.fromkeys([*added, *items]))

    def _modifier(self, cursor: Cursor) -> None:
        match cursor.atom().upper():
            case "CHANGEDSINCE":
                cursor.space()
                self.changed_since = cursor.number()
            case "VANISHED":
                self.wants_vanished = True
            case _:
                raise BadSyntax("Unknown modifier")

    async def run(self, session: Session) -> Answer:
        selected = session.mailbox
        if self.wants_vanished and not selected.dialect.has_qresync:
            return bad("QRESYNC has not been enabled")
        if _MODSEQ in self.items:
            selected.dialect.has_condstore = True
        indexes = selected.indexes(self.numbers, by_uid=self.by_uid)
        if self.changed_since is not None:
            entries, limit = selected.view.entries, self.changed_since
            indexes = [index for index in indexes if entries[index].modseq > limit]
        if self.wants_vanished:
            self._send_vanished(session, selected)
        try:
            missing = await self._write_all(session, selected, indexes)
        except UnknownEncoding:
            return no("[UNKNOWN-CTE] The part's transfer encoding is not known")
        if missing:
            return no("[EXPUNGEISSUED] Some of the messages no longer exist")
        return self.done()

    def _send_vanished(self, session: Session, selected: Selected) -> None:
        assert self.changed_since is not None
        if gone := vanished(selected.mailbox.changes_since(self.changed_since), self.numbers):
            session.send(gone)

    async def _write_all(self, session: Session, selected: Selected, indexes: Sequence[int]) -> int:
        """How many messages had gone."""
        rendering = Rendering(selected, self.items)
        marks_seen = not selected.is_read_only and any(
            isinstance(item, (Text, Binary)) and item.sets_seen for item in self.items
        )
        missing = 0
        for start in range(0, len(indexes), _BATCH):
            batch = indexes[start : start + _BATCH]
            marked = await _mark_seen(selected, batch) if marks_seen else frozenset[int]()
            for index in batch:
                entry = selected.view.entries[index]
                extra = self._news(selected) if entry.uid in marked else ()
                if not await rendering.write(index + 1, entry, session.output, extra):
                    missing += 1
            await session.output.drain()
        return missing

    def _news(self, selected: Selected) -> list[Quick]:
        """What else a client must hear when fetching has marked the message \\Seen."""
        news: list[Quick] = []
        if Plain("FLAGS") not in self.items:
            news.append(lambda entry: b"FLAGS " + selected.flags(entry))
        if selected.dialect.has_condstore and _MODSEQ not in self.items:
            news.append(lambda entry: b"MODSEQ (%d)" % entry.modseq)
        return news


async def _mark_seen(selected: Selected, indexes: Sequence[int]) -> frozenset[int]:
    """Uids newly marked."""
    unseen = [entry.uid for entry in selected.entries(indexes) if "\\Seen" not in entry.flags]
    if not unseen:
        return frozenset()
    result = await selected.mailbox.store_flags(unseen, "add", frozenset(["\\Seen"]))
    selected.view.learn(result.changed)
    return frozenset(entry.uid for entry in result.changed)
