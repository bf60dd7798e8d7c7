"""Which of the uids that a client names have gone."""

from __future__ import annotations

import pytest

from pillarbox.mailbox.imap.vanished import vanished
from pillarbox.ports.mailstore import Changes
from pillarbox.wire.imap.cursor import Cursor
from pillarbox.wire.imap.limits import Limits
from pillarbox.wire.imap.sequence_set import parse_sequence_set


@pytest.mark.parametrize(
    ("gone", "wanted", "told"),
    [
        ((), b"1:*", b""),
        ((3, 4, 9), b"", b"3:4,9"),
        ((3, 4, 9), b"4:8", b"4"),
        ((3, 4, 9), b"*", b"9"),
        ((3, 4, 9), b"5:8", b""),
        (((1, 4_000_000_000),), b"2:3,7,5:9,4000000000:4000000009", b"2:3,5:9,4000000000"),
        (((1, 9), (20, 29)), b"5:25,27,40", b"5:9,20:25,27"),
    ],
)
def test_is_told_in_runs(gone: tuple[object, ...], wanted: bytes, told: bytes) -> None:
    names = parse_sequence_set(Cursor([wanted], Limits())) if wanted else None
    runs = gone and isinstance(gone[0], tuple)
    changes = Changes((), () if runs else gone, 9, gone if runs else ())  # type: ignore[arg-type]
    found = vanished(changes, names)
    assert found == (b"* VANISHED (EARLIER) " + told + b"\r\n" if told else b"")
