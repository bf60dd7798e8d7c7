"""Text as encoded words, as Exim writes them (RFC 2047)."""

from __future__ import annotations

import re

_PLAIN = re.compile(rb"[ -~]*")
_SPECIALS = frozenset(b'?=()<>@,;:\\".[]_')
_LONGEST = 67
"""A word that has grown beyond this is closed before the next character; so none exceeds RFC 2047's 75.

Except behind an odd number of encoded bytes in a row, where Exim does not look."""
_Q = [
    "_" if code == 32 else chr(code) if 33 <= code <= 126 and code not in _SPECIALS else f"={code:02X}"
    for code in range(256)
]


def encode_words(data: bytes, charset: str) -> list[str]:
    """The words; none where `data` needs none."""
    if _PLAIN.fullmatch(data) and not _SPECIALS.intersection(data):
        return []
    begin = f"=?{charset}?Q?"
    words, word, may_end = [], begin, True
    for byte in data:
        if may_end and len(word) > _LONGEST:
            words.append(word + "?=")
            word = begin
        piece = _Q[byte]
        word += piece
        may_end = len(piece) == 1 or not may_end
    return [*words, word + "?="]
