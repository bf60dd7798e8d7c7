"""Which uids of many a client's set names."""

from __future__ import annotations

from pillarbox.mailbox.imap.select import within
from pillarbox.wire.imap.sequence_set import SequenceSet


class Counted(tuple[int, ...]):
    """May not be gone through."""

    __slots__ = ()

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise AssertionError("a set of thousands of ranges would be asked for each of millions of uids")


def test_uids_within_a_set() -> None:
    uids = (1, 2, 5, 8, 9)
    assert within(uids, None) == [1, 2, 5, 8, 9]
    assert within(uids, SequenceSet(((8, 2), (5, 5), (20, 30)))) == [2, 5, 8]
    assert within(uids, SequenceSet(((9, 0),))) == [9]
    assert within((), SequenceSet(((1, 2),))) == []


def test_uids_are_found_without_looking_at_all() -> None:
    assert within(Counted(range(1, 100)), SequenceSet(((4, 6), (9, 9)))) == [4, 5, 6, 9]
