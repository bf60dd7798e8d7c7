"""`body` (RFC 5173)."""

from __future__ import annotations

import pytest
from tests.support.sieve import holds

PARTS = b"""\
From: al@out.test
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="B"

before
--B
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9 soft=
wrap
--B
Content-Type: text/html
Content-Transfer-Encoding: base64

PGI+Ym9sZDwvYj4=
--B
Content-Type: message/rfc822

Subject: inner

deep
--B--
behind
"""
QUOTED = b"Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9\n"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (':raw :contains "soft="', True),
        (':contains "soft="', True),
        (':content "text" :contains "café softwrap"', True),
        (':content "text/html" :contains "<b>BOLD"', True),
        (':content "text/plain" :contains "bold"', False),
        (':content "" :contains "deep"', True),
        (':content "message" :contains "Subject: inner"', True),
        (':content "message" :contains "deep"', False),
        (':content "multipart" :contains "before"', True),
        (':content "multipart/mixed" :contains "behind"', True),
        (':content "multipart" :contains "Content-Type"', False),
        (':content "TEXT" :contains "deep"', True),
        (':content ["image", "video"] :contains ""', False),
    ],
)
def test_of_many_parts(test: str, expected: bool) -> None:
    assert holds(f"body {test}", PARTS, requires="body") is expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [(':contains "café"', True), (':raw :contains "café"', False), (':is "café\n"', True)],
)
def test_of_one(test: str, expected: bool) -> None:
    assert holds(f"body {test}", QUOTED, requires="body") is expected
