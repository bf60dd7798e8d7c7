"""Quoted-printable text (RFC 2045 §6.7)."""

from __future__ import annotations

import quopri

import pytest

from pillarbox.mail.quoted_printable import quoted_printable


@pytest.mark.parametrize(
    "data", [b"", b"a", "é = \t\n.\n \n".encode(), b"a" * 300, "é".encode() * 99, b" " * 99 + b"\n"]
)
def test_it_can_be_read_again(data: bytes) -> None:
    text = quoted_printable(data)
    assert quopri.decodestring(text.encode()) == data
    assert all(len(line) <= 76 for line in text.split("\n"))


def test_blanks_at_the_end_of_a_line_are_visible() -> None:
    assert quoted_printable(b"a \nb\t") == "a=20\nb=09"
