"""Parts of a message as `acl_smtp_mime` sees them, and their content."""

from __future__ import annotations

from pillarbox.flow.check.scan.decoding import Decoded, decode
from pillarbox.flow.check.scan.parts import parts_of

MESSAGE = b"""\
Subject: x
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

a
--i
Content-Type: text/html

b
--i--
--o
Content-Type: message/rfc822

Content-Type: text/plain; name="=?utf-8?q?c=20d?="

c
--o--
"""


def test_cover_letters_and_attached_messages() -> None:
    told = [
        (part.facts.content_type, part.facts.part_count, part.facts.is_coverletter, part.facts.is_rfc822)
        for part in parts_of(MESSAGE)
    ]
    assert told == [
        ("multipart/mixed", 0, 1, 0),
        ("multipart/alternative", 1, 1, 0),
        ("text/plain", 2, 1, 0),
        ("text/html", 3, 1, 0),
        ("message/rfc822", 4, 0, 0),
        ("text/plain", 0, 0, 1),
    ]
    assert parts_of(MESSAGE)[-1].facts.filename == "c d"


def test_base64_is_decoded_as_far_as_it_goes() -> None:
    assert decode(b"aGVs\nbG8=\n", "base64") == Decoded(b"hello")
    assert decode(b"!!aGVsbG8=", "base64") == Decoded(b"hello", 2, "Broken BASE64 encoding detected")
    assert decode(b"a", "base64").data == b""


def test_quoted_printable() -> None:
    assert decode(b"a=20b=\nc", "quoted-printable") == Decoded(b"a bc")
    assert decode(b"a=zz", "quoted-printable").anomaly_level == 1


def test_anything_else_is_as_it_is() -> None:
    assert decode(b"a=20", "8bit") == Decoded(b"a=20")
