"""Header variables: from a header block to the text of `$h_name:`, `$bh_name:`, `$lh_name:`, `$rh_name:` (Exim 11.5).

`$rh_` is the raw text of all headers of the name one behind the other; `$lh_` the same as a list; `$bh_` each without white space at its
ends, joined by newlines (by a comma and a newline for address headers), encoded words decoded but left in their character set; `$h_`
the same in `headers_charset`. Bytes that are not UTF-8 are carried as surrogates, so that nothing is lost.

Bounded as Exim does: 64 KiB.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import NamedTuple

MAX_LENGTH = 64 * 1024
_ADDRESS_HEADERS = frozenset({"bcc", "cc", "from", "reply-to", "sender", "to", "resent-bcc", "resent-cc", "resent-from",
                              "resent-sender", "resent-to"})  # fmt: skip
_WORD = re.compile(rb"=\?([^?\s]{0,100})\?([QqBb])\?(.{0,2000}?)\?=", re.DOTALL)
"""Bounded, so that many beginnings without an end cost little."""
_BETWEEN = re.compile(rb"[ \t\r\n]+")
_MAX_WORD = 75
_QUOTED = re.compile(rb"(?:[!-<>-~\x80-\xff]|=[0-9A-Fa-f]{2})*")
_QUOTED_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape"})
"""Python's codecs that are none."""
_WHITE = b" \t\n\v\f\r"


class HeaderCoding(NamedTuple):
    """The main options `headers_charset` and `check_rfc2047_length`: a facet of every scope, with these defaults when absent."""

    charset: str = "UTF-8"
    checks_length: bool = True


DEFAULT_CODING = HeaderCoding()


class Header:
    """One name, looked for in the header blocks of many messages. `kind`: `h`, `b`, `l` or `r`."""

    __slots__ = ("_kind", "_pattern", "_separator")

    def __init__(self, name: str, kind: str) -> None:
        field = re.escape(name.encode("utf-8", "surrogateescape"))
        self._pattern = re.compile(rb"^" + field + rb":(.*\n?(?:[ \t].*\n?)*)", re.MULTILINE | re.IGNORECASE)
        self._kind = kind
        is_addresses = name.lower() in _ADDRESS_HEADERS
        self._separator = b":" if kind == "l" else b"" if kind == "r" else b",\n" if is_addresses else b"\n"

    def is_in(self, block: bytes) -> bool:
        return self._pattern.search(block) is not None

    def read(self, block: bytes, coding: HeaderCoding = DEFAULT_CODING) -> str:
        """The variable's value for the header block `block` (LF form)."""
        values: list[bytes] = self._pattern.findall(block)
        if not values:
            return ""
        data = self._joined(values)
        if b"=?" in data and self._kind in "hb":
            data = decode_words(
                data, coding.charset if self._kind == "h" else "", checks_length=coding.checks_length
            )
        return data.decode("utf-8", "surrogateescape")

    def _joined(self, values: list[bytes]) -> bytes:
        kind, separator = self._kind, self._separator
        if kind == "r":
            return b"".join(values)[:MAX_LENGTH]
        if kind == "l":
            values = [value.removesuffix(b"\n").replace(b":", b"::") for value in values]
        else:
            values = [stripped for value in values if (stripped := value.strip(_WHITE))]
        data = b""
        for value in values:
            data += separator if data else b""
            if len(data) > MAX_LENGTH:
                break
            data += value[: MAX_LENGTH - len(data)]
        return data


def decode_words(data: bytes, charset: str, *, checks_length: bool = True, is_literal: bool = False) -> bytes:
    """RFC 2047 encoded words decoded, into `charset` unless that is empty. A word that is no proper one stays as it is; when the
    character set of one is unknown, or has no place in `charset`, all of the data stays as it is.

    White space between two decoded words is dropped. NUL becomes a question mark. `checks_length`: no word is longer than 75 bytes.
    `is_literal`: NUL stays, and words in unknown character sets are decoded into bytes as they are (Sieve).
    """
    parts: list[bytes] = []
    end = position = 0
    while (found := _WORD.search(data, position)) is not None:
        begin = found.start()
        word = None
        if not checks_length or found.end() - begin <= _MAX_WORD:
            word = _unquoted(found[2], found[3])
        if word is not None:
            word = _translated(word, found[1], charset, is_literal=is_literal)
            if word is None:
                return data
        if word is None:
            position = begin + 2
            continue
        between = data[end:begin]
        if not (end and _BETWEEN.fullmatch(between)):
            parts.append(between)
        parts.append(word)
        end = position = found.end()
    return b"".join(parts) + data[end:]


def _unquoted(encoding: bytes, text: bytes) -> bytes | None:
    return _from_q(text) if encoding in b"Qq" else _from_base64(text)


def _translated(plain: bytes, source: bytes, charset: str, *, is_literal: bool) -> bytes | None:
    """From the character set `source` into `charset`; None when that cannot be."""
    name = source.decode("ascii", "replace")
    if charset and name and name.lower() != charset.lower():
        if name.lower() in _NO_CHARSETS:
            return plain if is_literal else None
        try:
            plain = plain.decode(name).encode(charset)
        except (LookupError, ValueError):
            return plain if is_literal else None
    return plain if is_literal else plain.replace(b"\0", b"?")


def _from_q(text: bytes) -> bytes | None:
    if not _QUOTED.fullmatch(text):
        return None
    return _QUOTED_BYTE.sub(lambda found: bytes.fromhex(found[1].decode()), text.replace(b"_", b" "))


def _from_base64(text: bytes) -> bytes | None:
    letters = text.translate(None, _WHITE)
    return b64decode(letters) if _BASE64.fullmatch(letters) else None
