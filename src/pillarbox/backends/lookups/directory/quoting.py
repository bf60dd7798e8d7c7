"""The quote operators of LDAP: first for a filter or a DN, then for a URL (Exim 9.11.2; RFC 4514, RFC 4515, RFC 3986)."""

from __future__ import annotations

import re

_ALWAYS = b"!$'-._()*+"
_URL_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + _ALWAYS)
_URL = [chr(c) if c in _URL_SAFE else f"%{c:02X}" for c in range(256)]
_FILTER = {**dict(enumerate(_URL)), **{c: f"%5C{c:02X}" for c in b"*()\\"}}
_DN = {**dict(enumerate(_URL)), **{c: "%5C" + _URL[c] for c in b',+"\\<>;'}}
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def quote_filter(text: str) -> str:
    return "".join([_FILTER[byte] for byte in _bytes(text)])


def quote_dn(text: str) -> str:
    """Leading spaces and `#`, and trailing spaces, get a backslash too."""
    data = _bytes(text)
    body = data.lstrip(b" #")
    leading = data[: len(data) - len(body)]
    middle = body.rstrip(b" ")
    trailing = body[len(middle) :]
    escaped = ["%5C" + _URL[byte] for byte in leading]
    escaped += [_DN[byte] for byte in middle]
    return "".join(escaped) + "%5C%20" * len(trailing)


def url_unquote(text: str) -> str:
    if "%" not in text:
        return text
    decoded = _PERCENT.sub(lambda found: bytes.fromhex(found.group(1).decode()), _bytes(text))
    return decoded.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
