"""The content of a MIME part without its transfer encoding, and what is odd about that (RFC 2045 §6; Exim 45.4)."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from typing import NamedTuple

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
_ALPHABET = re.compile(rb"[^A-Za-z0-9+/]")
_BAD_QUOTED = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*\Z)")


class Decoded(NamedTuple):
    data: bytes
    anomaly_level: int = 0
    anomaly_text: str = ""


def decode(body: bytes, encoding: str) -> Decoded:
    """Takes its time with a large part. What is broken is decoded as far as it goes."""
    if encoding == "base64":
        return _base64(body)
    if encoding == "quoted-printable":
        is_broken = _BAD_QUOTED.search(body) is not None
        what = (1, "Broken Quoted-Printable encoding detected") if is_broken else (0, "")
        return Decoded(quopri.decodestring(body), *what)
    return Decoded(body)


def _base64(body: bytes) -> Decoded:
    what = (2, "Broken BASE64 encoding detected") if _NOT_BASE64.search(body) else (0, "")
    letters = _ALPHABET.sub(b"", body)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return Decoded(base64.b64decode(letters + b"=" * (-len(letters) % 4)), *what)
    except binascii.Error:
        return Decoded(b"", 2, "Broken BASE64 encoding detected")
