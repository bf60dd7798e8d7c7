"""From a part's bytes to what a reader sees: transfer encodings, character sets, encoded words (RFC 2045 §6, RFC 2047).

Used by BINARY and by SEARCH, and by tests of bodies in Sieve. Garbage decodes to something; only an encoding that nobody here knows is an error.
"""

from __future__ import annotations

import binascii
import codecs
import contextlib
import quopri
import re

from pillarbox.mail.mime import Part

_IDENTITY = frozenset([b"7bit", b"8bit", b"binary", b""])
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_ENCODED_WORD = re.compile(rb"=\?([!-<>@-~]{1,60})\?([BbQq])\?([!->@-~]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(?==\?)")


class UnknownEncoding(Exception):
    """RFC 9051 UNKNOWN-CTE."""


def is_known_encoding(encoding: bytes) -> bool:
    return encoding in _IDENTITY or encoding in (b"base64", b"quoted-printable")


def decode_transfer(data: bytes, encoding: bytes) -> bytes:
    """Raises UnknownEncoding."""
    if encoding in _IDENTITY:
        return data
    if encoding == b"base64":
        return _from_base64(data)
    if encoding == b"quoted-printable":
        return quopri.decodestring(data)
    raise UnknownEncoding(encoding.decode("ascii", "replace"))


def _from_base64(data: bytes) -> bytes:
    """Up to the padding; what does not belong to the alphabet is passed over (RFC 2045 §6.8)."""
    pure = _NOT_BASE64.sub(b"", data.partition(b"=")[0])
    if len(pure) % 4 == 1:
        pure = pure[:-1]
    return binascii.a2b_base64(pure + b"=" * (-len(pure) % 4))


def text_codec(charset: str) -> str | None:
    """Python's name of a character set for text; None when there is none such."""
    try:
        found = codecs.lookup(charset)
    except (LookupError, ValueError):
        return None
    return found.name if getattr(found, "_is_text_encoding", True) else None


def decode_charset(data: bytes, charset: bytes | None) -> str:
    """UTF-8 when it is, else the declared set; Latin-1 takes what is left, so that ASCII words are always found."""
    codec = text_codec(charset.decode("ascii", "replace")) if charset else None
    for name in (codec, "utf-8"):
        if name is not None and name != "ascii":
            try:
                return data.decode(name)
            except (UnicodeError, ValueError):
                continue
    return data.decode("latin-1")


def decode_words(value: bytes) -> str:
    """A header field's text with its encoded words read."""
    if b"=?" not in value:
        return decode_charset(value, None)
    value = _BETWEEN_WORDS.sub(rb"\1", value)
    pieces: list[str] = []
    at = 0
    for found in _ENCODED_WORD.finditer(value):
        pieces.append(decode_charset(value[at : found.start()], None))
        pieces.append(_decode_word(found[1].partition(b"*")[0], found[2], found[3]))
        at = found.end()
    pieces.append(decode_charset(value[at:], None))
    return "".join(pieces)


def _decode_word(charset: bytes, encoding: bytes, text: bytes) -> str:
    data = _from_base64(text) if encoding in b"Bb" else quopri.decodestring(text, header=True)
    return decode_charset(data, charset)


def readable_text(data: bytes, part: Part) -> str:
    """A text part as a reader sees it."""
    body = data[part.body_start : part.end]
    with contextlib.suppress(UnknownEncoding):
        body = decode_transfer(body, part.encoding)
    return decode_charset(body, part.content_type.parameter(b"charset"))
