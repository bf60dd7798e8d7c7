"""`VANISHED (EARLIER)`: which of the uids that a client names have gone (RFC 7162 §3.2.5, §3.2.6).

Worked out in runs of uids: of a mailbox that has been in use for long most uids have gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pillarbox.ports.mailstore import Changes
from pillarbox.wire.imap.sequence_set import SequenceSet, format_runs, runs_of
from pillarbox.wire.imap.writing import untagged


def vanished(changes: Changes, wanted: SequenceSet | None) -> bytes:
    """The response; empty when none has gone. `wanted`: None for all."""
    gone: Sequence[tuple[int, int]] = changes.gaps or runs_of(changes.expunged)
    if wanted is not None and gone:
        gone = list(_common(gone, wanted.resolve(gone[-1][1])))
    return untagged(b"VANISHED (EARLIER) " + format_runs(gone)) if gone else b""


def _common(some: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is in both of two ascending sets of runs."""
    at = 0
    for first, last in some:
        while at < len(others) and others[at][1] < first:
            at += 1
        here = at
        while here < len(others) and others[here][0] <= last:
            yield max(first, others[here][0]), min(last, others[here][1])
            here += 1
