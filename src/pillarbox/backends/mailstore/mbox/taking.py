"""EXPUNGE: which parts of the file go, which stay, and what the index is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from pillarbox.backends.mailstore.mbox import access, removal
from pillarbox.backends.mailstore.mbox.inbox import Inbox
from pillarbox.backends.mailstore.mbox.scan import Snapshot, Span, describe, read, scan
from pillarbox.ports.mailplace import MailPlace


async def take_out(inbox: Inbox, uids: Collection[int]) -> list[int]:
    """The uids removed: all that were there. Call after a refresh. Raises MailboxBusy, OSError."""
    digests = Counter(inbox.spans[uid].digest for uid in uids if uid in inbox.spans)
    if digests:
        before = inbox.snapshot
        async with inbox.scanning:
            after = await inbox.patiently(lambda: _take(inbox.place, before, digests))
            inbox.know(after)
    async with inbox.changing():
        gone = [uid for uid in uids if uid in inbox.rows]
        inbox.remove(gone)
    await inbox.refresh()
    return gone


def _take(place: MailPlace, before: Snapshot, digests: Counter[bytes]) -> Snapshot:
    """What the file holds then. Raises MailboxBusy, OSError."""
    with access.changing(place) as descriptor:
        if descriptor is None:
            return Snapshot()
        present = scan(descriptor, before)
        doomed = _choose(present, digests)
        if any(read(descriptor, present.spans[number]) is None for number in doomed):
            present = scan(descriptor, Snapshot())
            doomed = _choose(present, digests)
        if not doomed:
            return present
        removal.remove(place.root, descriptor, present.spans[doomed[0]].start, _kept(present, doomed))
        return describe(descriptor, _closed_up(present, doomed))


def _choose(present: Snapshot, digests: Counter[bytes]) -> list[int]:
    """Numbers of spans. Of messages that are equal to the last byte any will do."""
    wanted = Counter(digests)
    doomed = []
    for number, span in enumerate(present.spans):
        if wanted[span.digest] > 0:
            wanted[span.digest] -= 1
            doomed.append(number)
    return doomed


def _kept(present: Snapshot, doomed: Sequence[int]) -> list[tuple[int, int]]:
    """The parts of the file behind the first that goes."""
    borders = [*doomed[1:], len(present.spans)]
    parts = []
    for number, following in zip(doomed, borders, strict=True):
        end = present.spans[following].start if following < len(present.spans) else present.size
        if present.end_of(number) < end:
            parts.append((present.end_of(number), end))
    return parts


def _closed_up(present: Snapshot, doomed: Sequence[int]) -> tuple[Span, ...]:
    going, away = set(doomed), 0
    spans = []
    for number, span in enumerate(present.spans):
        if number in going:
            away += present.end_of(number) - span.start
        elif away:
            spans.append(
                msgspec.structs.replace(
                    span, start=span.start - away, text=span.text - away, end=span.end - away
                )
            )
        else:
            spans.append(span)
    return tuple(spans)
