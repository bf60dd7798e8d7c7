"""A mailbox as one client has been told about it: message sequence numbers over a store that moves on by itself (RFC 9051 §2.3.1.2).

Sequence numbers may only change when the client is told, and it may only be told at certain moments (§5.2, §7.5.1). So a view keeps its
own list of entries; `take_changes` learns what has happened, and what is gone stays in its place until `report` may say so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from pillarbox.ports.mailstore import Entry, Mailbox


class NoSuchMessage(Exception):
    """A sequence number beyond the last message."""


class Report(msgspec.Struct, frozen=True):
    """What to tell the client, in this order; numbers are right when told in this order."""

    expunged: tuple[tuple[int, int], ...]
    """(number, uid) from the highest down, so that none moves another."""
    has_grown: bool
    changed: tuple[tuple[int, Entry], ...]
    """(number, entry) of messages whose flags others have changed."""


class View:
    """Index `i` is sequence number `i + 1`."""

    __slots__ = ("_gone", "_has_grown", "_modseq", "_touched", "_uids", "entries", "mailbox", "recent_from")

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.entries = list(mailbox.entries())
        self._uids = [entry.uid for entry in self.entries]
        self._modseq = mailbox.highest_modseq
        self._gone: set[int] = set()
        self._touched: set[int] = set()
        self._has_grown = False
        self.recent_from = mailbox.uid_next
        """Messages from this uid on have come while we watched: \\Recent (RFC 3501 §2.3.2)."""

    def __len__(self) -> int:
        return len(self._uids)

    @property
    def largest_uid(self) -> int:
        return self._uids[-1] if self._uids else 0

    @property
    def modseq(self) -> int:
        """Highest modseq of what the view knows."""
        return self._modseq

    def index(self, uid: int) -> int | None:
        at = bisect_left(self._uids, uid)
        return at if at < len(self._uids) and self._uids[at] == uid else None

    def recent(self) -> int:
        return len(self._uids) - bisect_left(self._uids, self.recent_from)

    def at_numbers(self, ranges: Iterable[tuple[int, int]]) -> Sequence[int]:
        """Indexes of (low, high) sequence numbers. Raises NoSuchMessage when a range lies wholly beyond the end."""
        count = len(self._uids)
        spans = []
        for low, high in ranges:
            if low > count:
                raise NoSuchMessage(f"There is no message {low}")
            spans.append(range(max(low, 1) - 1, min(high, count)))
        return _joined(spans)

    def at_uids(self, ranges: Iterable[tuple[int, int]]) -> Sequence[int]:
        """Indexes of (low, high) uids; what does not exist is passed over (RFC 9051 §6.4.9)."""
        uids = self._uids
        return _joined([range(bisect_left(uids, low), bisect_right(uids, high)) for low, high in ranges])

    def learn(self, entries: Iterable[Entry]) -> None:
        """Changes that the client made itself and hears of in its command's own responses."""
        for entry in entries:
            at = self.index(entry.uid)
            if at is not None:
                self.entries[at] = entry
                self._touched.discard(entry.uid)

    async def take_changes(self) -> None:
        """Look at the store. Raises NoSuchMailbox when the mailbox was deleted."""
        await self.mailbox.refresh()
        if self.mailbox.highest_modseq == self._modseq:
            return
        changes = self.mailbox.changes_since(self._modseq)
        self._modseq = changes.highest_modseq
        self._gone.update(uid for uid in changes.expunged if self.index(uid) is not None)
        for entry in changes.changed:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        at = self.index(entry.uid)
        if at is None:
            if entry.uid > self.largest_uid:
                self.entries.append(entry)
                self._uids.append(entry.uid)
                self._has_grown = True
        elif self.entries[at].modseq != entry.modseq:
            self.entries[at] = entry
            self._touched.add(entry.uid)

    def report(self, *, with_expunged: bool) -> Report | None:
        """What the client has not been told; None when there is nothing. Without `with_expunged` the gone ones wait for another time."""
        expunged = self._drop_gone() if with_expunged and self._gone else ()
        if not (expunged or self._has_grown or self._touched):
            return None
        changed = []
        for uid in sorted(self._touched):
            at = self.index(uid)
            if at is not None:
                changed.append((at + 1, self.entries[at]))
        report = Report(expunged, self._has_grown, tuple(changed))
        self._has_grown = False
        self._touched.clear()
        return report

    def _drop_gone(self) -> tuple[tuple[int, int], ...]:
        gone = self._gone
        self._gone = set()
        numbers = [(number, uid) for number, uid in enumerate(self._uids, 1) if uid in gone]
        self.entries = [entry for entry in self.entries if entry.uid not in gone]
        self._uids = [uid for uid in self._uids if uid not in gone]
        return tuple(reversed(numbers))


def _joined(spans: list[range]) -> Sequence[int]:
    if len(spans) == 1:
        return spans[0]
    return [index for span in spans for index in span]
