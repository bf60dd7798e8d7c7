"""The selected mailbox of a session: its view, what the client wants to hear, and how that is written (RFC 9051 §7.4, §7.5; RFC 7162)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from pillarbox.mailbox.view import Report, View
from pillarbox.ports.mailstore import Entry, Mailbox
from pillarbox.wire.imap.flags import format_flags
from pillarbox.wire.imap.sequence_set import SequenceSet, format_set
from pillarbox.wire.imap.writing import untagged


class Dialect(msgspec.Struct):
    """Which IMAP the client speaks: what it has enabled, on purpose or by using it."""

    is_rev2: bool = False
    is_utf8: bool = False
    """UTF8=ACCEPT, or rev2."""
    has_condstore: bool = False
    has_qresync: bool = False


class Selected:
    """One SELECT's worth of state."""

    __slots__ = ("content", "dialect", "is_read_only", "saved_result", "view")

    def __init__(self, mailbox: Mailbox, dialect: Dialect, *, is_read_only: bool) -> None:
        self.view = View(mailbox)
        self.dialect = dialect
        self.is_read_only = is_read_only
        self.saved_result: tuple[int, ...] = ()
        """Uids kept by SEARCH RETURN (SAVE): `$`."""
        self.content: tuple[int, bytes] | None = None
        """(uid, message) of a message that is being fetched in pieces."""

    @property
    def mailbox(self) -> Mailbox:
        return self.view.mailbox

    def indexes(self, numbers: SequenceSet, *, by_uid: bool) -> Sequence[int]:
        """Ascending places in the view. Raises NoSuchMessage."""
        view = self.view
        if numbers.is_saved_result:
            return [at for at in map(view.index, self.saved_result) if at is not None]
        if by_uid:
            return view.at_uids(numbers.resolve(view.largest_uid))
        if not len(view) and any(0 in span for span in numbers.ranges):
            return ()  # `1:*` in an empty mailbox asks for nothing, and means no harm
        return view.at_numbers(numbers.resolve(len(view)))

    def entries(self, indexes: Iterable[int]) -> list[Entry]:
        entries = self.view.entries
        return [entries[index] for index in indexes]

    def flags(self, entry: Entry) -> bytes:
        """`(\\Seen)`; with \\Recent for clients that know it."""
        if entry.uid >= self.view.recent_from and not self.dialect.is_rev2:
            return flags_text(entry.flags | {"\\Recent"})
        return flags_text(entry.flags)

    def flag_line(self, number: int, entry: Entry) -> bytes:
        """The FETCH that tells of changed flags. The uid is always welcome, and QRESYNC asks for it."""
        if self.dialect.has_condstore:
            return b"* %d FETCH (UID %d MODSEQ (%d) FLAGS %b)\r\n" % (
                number,
                entry.uid,
                entry.modseq,
                self.flags(entry),
            )
        return b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, entry.uid, self.flags(entry))

    def render(self, report: Report) -> list[bytes]:
        """The untagged responses of a report."""
        lines = self._expunges(report.expunged)
        if report.has_grown:
            lines.append(untagged(b"%d EXISTS" % len(self.view)))
            if not self.dialect.is_rev2:
                lines.append(untagged(b"%d RECENT" % self.view.recent()))
        lines.extend(self.flag_line(number, entry) for number, entry in report.changed)
        return lines

    def _expunges(self, expunged: tuple[tuple[int, int], ...]) -> list[bytes]:
        if expunged and self.dialect.has_qresync:
            return [untagged(b"VANISHED " + format_set(sorted(uid for _, uid in expunged)))]
        return [b"* %d EXPUNGE\r\n" % number for number, _ in expunged]


@lru_cache(maxsize=2_048)
def flags_text(flags: frozenset[str]) -> bytes:
    """Few combinations of flags are in use at a time."""
    return format_flags(flags)
