"""`encoded-character` (RFC 5228 §2.4.2.4): `${hex:40}` and `${unicode:20AC}` in strings. What is none of these stays as it is."""

from __future__ import annotations

import re

from pillarbox.language.expand.octets import octets, text_of
from pillarbox.language.sieve.registry import capability

capability("encoded-character")

_ENCODED = re.compile(
    rb"\$\{(?:hex:\s*((?:[0-9a-f]{1,2}\s+)*[0-9a-f]{1,2})|unicode:\s*((?:[0-9a-f]+\s+)*[0-9a-f]+))\s*\}",
    re.IGNORECASE,
)
_LONGEST = 16
"""Digits of a character."""


def decoded(text: str) -> str:
    """Raises ValueError."""
    if "${" not in text:
        return text
    data = octets(text)
    return text_of(_ENCODED.sub(_meant, data))


def _meant(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes(int(pair, 16) for pair in found[1].split())
    return "".join(map(_character, found[2].split())).encode()


def _character(digits: bytes) -> str:
    code = int(digits[-_LONGEST:], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or digits[:-_LONGEST].strip(b"0"):
        raise ValueError("unicode character out of range")
    return chr(code)
