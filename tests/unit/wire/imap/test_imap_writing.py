"""Responses: right forms for strings, and no way to smuggle a line end."""

from __future__ import annotations

import pytest

from pillarbox.mail.mime import scan
from pillarbox.wire.imap.body_structure import format_structure
from pillarbox.wire.imap.envelope import format_envelope
from pillarbox.wire.imap.writing import astring, mailbox, nstring, string, tagged


def test_string_forms() -> None:
    assert string(b"plain") == b'"plain"'
    assert string(rb'a "b" \c') == rb'"a \"b\" \\c"'
    assert string("ü".encode()) == b"{2}\r\n\xc3\xbc"
    assert string(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert string(b"a\0b") == b"{3}\r\na\x80b"
    assert string(b"x" * 2000).startswith(b"{2000}\r\n")
    assert nstring(None) == b"NIL"
    assert astring(b"nil") == b'"nil"'
    assert astring(b"a]") == b'"a]"'
    assert mailbox("Entwürfe", is_utf8=False) == b"Entw&APw-rfe"
    assert mailbox("Entwürfe", is_utf8=True) == '"Entwürfe"'.encode()


def test_text_stays_on_its_line() -> None:
    assert tagged("a", "NO", "x\r\na OK injected\0") == b"a NO x??a OK injected?\r\n"


def test_envelope_of_rfc_9051() -> None:
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.ed>\r\n\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert format_envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        + b" ".join([gray] * 3)
        + b" "
        b'((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU"))'
        b' NIL NIL "<B27397-0100000@cac.washington.ed>")'
    )


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (
            b"Friends: a@b.c, D <d@e.f>;",
            b'((NIL NIL "Friends" NIL)(NIL NIL "a" "b.c")("D" NIL "d" "e.f")(NIL NIL NIL NIL))',
        ),
        (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        (b"root", b'((NIL NIL "root" ""))'),
        (b"", b"NIL"),
        (b",,,", b"NIL"),
        ("Jürgen <j@x.y>".encode(), b'(({7}\r\nJ\xc3\xbcrgen NIL "j" "x.y"))'),
    ],
)
def test_envelope_addresses(to: bytes, expected: bytes) -> None:
    assert expected in format_envelope(b"To: " + to + b"\r\n\r\n")


def test_folded_subject_is_one_line() -> None:
    assert b'"a b  c"' in format_envelope(b"Subject: a\r\n b\r\n  c\r\n\r\n")


def test_body_structure_of_every_kind() -> None:
    message = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\nplain\r\n\r\n--x\r\n"
        b"Content-Type: image/png; name*=utf-8''a%20b\r\nContent-ID: <i@d>\r\nContent-Description: d\r\n"
        b"Content-Transfer-Encoding: BASE64\r\nContent-MD5: Q2hlY2s=\r\nContent-Language: en, de\r\n"
        b'Content-Location: http://x/\r\nContent-Disposition: attachment; filename="a b"\r\n\r\nAAAA\r\n--x--\r\nepilogue\r\n'
    )
    assert format_structure(message, scan(message), is_extended=True) == (
        b'(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1 NIL NIL NIL NIL)'
        b'("IMAGE" "PNG" ("NAME*" "utf-8\'\'a%20b") "<i@d>" "d" "BASE64" 4 "Q2hlY2s=" ("ATTACHMENT" ("FILENAME" "a b")) ("en" "de") '
        b'"http://x/") "MIXED" ("BOUNDARY" "x") NIL NIL NIL)'
    )
    assert format_structure(message, scan(message), is_extended=False) == (
        b'(("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1)'
        b'("IMAGE" "PNG" ("NAME*" "utf-8\'\'a%20b") "<i@d>" "d" "BASE64" 4) "MIXED")'
    )
