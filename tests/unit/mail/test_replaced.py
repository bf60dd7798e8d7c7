"""Where lines that went stand among those that are there; the places are Exim's."""

from __future__ import annotations

import pytest

from pillarbox.mail.header import parse_headers
from pillarbox.mail.replaced import replaced_lines, woven


@pytest.mark.parametrize(
    ("taken", "kept", "shown"),
    [
        ("A: 1\nB: 2\n", "Received: r\nA: 1\nB: 2\nDate: d\n", "Received: r|A: 1|B: 2|Date: d"),
        ("To: a\nS: s\n", "Received: r\nTo: a@b\nS: s\n", "Received: r|* To: a|To: a@b|S: s"),
        ("A: 1\nSender: x\n", "Received: r\nA: 1\nDate: d\n", "Received: r|A: 1|* Sender: x|Date: d"),
        ("Bcc: x\n", "Received: r\nDate: d\n", "Received: r|* Bcc: x|Date: d"),
        (
            "Bcc: f\nTo: g\nBCC: r\nS: s\n",
            "Received: r\nTo: g@x\nS: s\nDate: d\n",
            "Received: r|* Bcc: f|* To: g|To: g@x|* BCC: r|S: s|Date: d",
        ),
        (
            "From: g\nS: s\n",
            "Received: r\nS: s\nFrom: G <g@x>\n",
            "Received: r|* From: g|S: s|From: G <g@x>",
        ),
        ("X: 1\nX: 1\n", "X: 1\n", "X: 1|* X: 1"),
        ("X: 1\n", "", "* X: 1"),
    ],
)
def test_what_went_keeps_its_place(taken: str, kept: str, shown: str) -> None:
    lines = [field.raw for field in parse_headers(kept.encode())]
    both = woven(lines, replaced_lines(taken.encode(), kept.encode()))
    told = [f"{'* ' if is_gone else ''}{line.decode().rstrip()}" for line, is_gone in both]
    assert "|".join(told) == shown
