"""SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3), with CONDSTORE's and QRESYNC's parameters (RFC 7162 §3.1.8, §3.2.5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pillarbox.mailbox.imap.command import Answer, Command, State, no
from pillarbox.mailbox.imap.selected import Selected, flags_text
from pillarbox.mailbox.imap.vanished import vanished
from pillarbox.ports.mailstore import NoSuchMailbox
from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.flags import SYSTEM_FLAGS, format_flags
from pillarbox.wire.imap.mailbox_name import parse_mailbox
from pillarbox.wire.imap.sequence_set import SequenceSet, parse_sequence_set
from pillarbox.wire.imap.writing import mailbox as mailbox_text
from pillarbox.wire.imap.writing import untagged

if TYPE_CHECKING:
    from pillarbox.mailbox.imap.session import Session

_SYSTEM = frozenset(SYSTEM_FLAGS)


class Resynchronise(msgspec.Struct, frozen=True):
    """`QRESYNC (uidvalidity modseq [known-uids [(numbers uids)]])`. The match data only spare the server work, so they are let go."""

    uid_validity: int
    modseq: int
    known: SequenceSet | None


class Select(Command, name="SELECT", states=State.LOGGED_IN):
    __slots__ = ("mailbox_name", "resynchronise", "wants_condstore")
    is_read_only = False

    def parse(self, cursor: Cursor) -> None:
        self.wants_condstore = False
        self.resynchronise: Resynchronise | None = None
        cursor.space()
        self.mailbox_name = parse_mailbox(cursor)
        if not cursor.at_end():
            cursor.space()
            cursor.parenthesised(self._parameter)

    def _parameter(self, cursor: Cursor) -> None:
        match cursor.atom().upper():
            case "CONDSTORE":
                self.wants_condstore = True
            case "QRESYNC":
                self.resynchronise = _parse_resynchronise(cursor)
            case _:
                raise BadSyntax("Unknown parameter")

    async def run(self, session: Session) -> Answer:
        if self.resynchronise is not None and not session.dialect.has_qresync:
            return Answer("BAD", "QRESYNC has not been enabled")
        if session.selected is not None:
            session.unselect()
            session.send(untagged(b"OK [CLOSED] Previous mailbox closed"))
        if self.wants_condstore:
            session.dialect.has_condstore = True
        try:
            mailbox = await session.mail.open(self.mailbox_name)
        except NoSuchMailbox:
            return no("[NONEXISTENT] No such mailbox")
        session.selected = Selected(mailbox, session.dialect, is_read_only=self.is_read_only)
        for line in self._describe(session.selected):
            session.send(untagged(line))
        self._resynchronise(session, session.selected)
        return self.done("READ-ONLY" if self.is_read_only else "READ-WRITE")

    def _describe(self, selected: Selected) -> list[bytes]:
        view, mailbox = selected.view, selected.mailbox
        keywords = frozenset[str]().union(*(entry.flags for entry in view.entries)) - _SYSTEM
        permanent = b"()" if self.is_read_only else format_flags(_SYSTEM | keywords)[:-1] + rb" \*)"
        lines = [b"FLAGS " + flags_text(_SYSTEM | keywords), b"%d EXISTS" % len(view)]
        if selected.dialect.is_rev2:
            name = mailbox_text(self.mailbox_name, is_utf8=selected.dialect.is_utf8)
            lines.append(b'LIST () "/" ' + name)
        else:
            lines.append(b"%d RECENT" % view.recent())
            lines.extend(_first_unseen(selected))
        return [
            *lines,
            b"OK [PERMANENTFLAGS " + permanent + b"] Flags that stay",
            b"OK [UIDNEXT %d] Next uid" % mailbox.uid_next,
            b"OK [UIDVALIDITY %d] Uids are valid" % mailbox.uid_validity,
            b"OK [HIGHESTMODSEQ %d] Highest" % view.modseq,
        ]

    def _resynchronise(self, session: Session, selected: Selected) -> None:
        """What has happened since the client was last here."""
        wish = self.resynchronise
        if wish is None or wish.uid_validity != selected.mailbox.uid_validity:
            return
        changes = selected.mailbox.changes_since(wish.modseq)
        if gone := vanished(changes, wish.known):
            session.send(gone)
        known = set(within([entry.uid for entry in changes.changed], wish.known))
        for entry in changes.changed:
            at = selected.view.index(entry.uid)
            if at is not None and entry.uid in known:
                session.send(selected.flag_line(at + 1, entry))


class Examine(Select, name="EXAMINE", states=State.LOGGED_IN):
    __slots__ = ()
    is_read_only = True


def _parse_resynchronise(cursor: Cursor) -> Resynchronise:
    cursor.space()
    cursor.expect(b"(")
    uid_validity = cursor.positive()
    cursor.space()
    modseq = cursor.number()
    known: SequenceSet | None = None
    if cursor.take(b" "):
        if cursor.peek() != b"(":
            known = parse_sequence_set(cursor)
        if cursor.peek() == b"(" or cursor.take(b" "):
            _skip_match_data(cursor)
    cursor.expect(b")")
    return Resynchronise(uid_validity, modseq, known)


def _skip_match_data(cursor: Cursor) -> None:
    cursor.expect(b"(")
    parse_sequence_set(cursor)
    cursor.space()
    parse_sequence_set(cursor)
    cursor.expect(b")")


def within(uids: Sequence[int], wanted: SequenceSet | None) -> list[int]:
    """Those of ascending `uids` that a set names; all without a set."""
    if wanted is None or not uids:
        return list(uids)
    found: list[int] = []
    for low, high in wanted.resolve(uids[-1]):
        found += uids[bisect_left(uids, low) : bisect_right(uids, high)]
    return found


def _first_unseen(selected: Selected) -> list[bytes]:
    for number, entry in enumerate(selected.view.entries, 1):
        if "\\Seen" not in entry.flags:
            return [b"OK [UNSEEN %d] First unseen" % number]
    return []
