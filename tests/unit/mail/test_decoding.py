"""Transfer encodings, character sets, encoded words."""

from __future__ import annotations

import pytest

from pillarbox.mail.decoding import (
    UnknownEncoding,
    decode_charset,
    decode_transfer,
    decode_words,
    text_codec,
)


def test_transfer_encodings() -> None:
    assert decode_transfer(b"=C3=BC=\r\nx", b"quoted-printable") == "üx".encode()
    assert decode_transfer(b"w7w=\r\n", b"base64") == "ü".encode()
    assert decode_transfer(b"A", b"base64") == b""
    assert decode_transfer(b"\0\xff", b"8bit") == b"\0\xff"
    with pytest.raises(UnknownEncoding):
        decode_transfer(b"", b"x-uuencode")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
        (b"=?utf-8?b?w7w=?= =?utf-8?B?w7w?=", "üü"),
        (b"=?ISO-8859-1?Q?a_b?= c", "a b c"),
        (b"=?utf-8*en?q?=C3=BC?=", "ü"),
        (b"=?x-none?q?a?=", "a"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("rätsel".encode(), "rätsel"),
        ("rätsel".encode("latin-1"), "rätsel"),
    ],
)
def test_encoded_words(value: bytes, expected: str) -> None:
    assert decode_words(value) == expected


def test_charsets() -> None:
    assert decode_charset("ü".encode("latin-1"), b"iso-8859-1") == "ü"
    assert decode_charset("ü".encode(), b"us-ascii") == "ü"
    assert decode_charset(b"\xff", b"utf-8") == "ÿ"
    assert text_codec("UTF-8") == "utf-8"
    for wrong in ("rot13", "hex", "base64", "zlib", "nothing", "a\0b", ""):
        assert text_codec(wrong) is None, wrong
