"""`verify = header_syntax`: do the address headers hold addresses? (RFC 5322 §3.4, obsolete forms tolerated.)"""

from __future__ import annotations

import re
from email.headerregistry import AddressHeader
from email.headerregistry import HeaderRegistry as Registry

from pillarbox.mail.header import parse_headers

ADDRESS_HEADERS = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
SENDER_HEADERS = frozenset({"from", "sender", "reply-to"})
MAX_SENDERS = 20
MAX_CHECKED = 64 * 1024
"""Bytes of one header that are looked at."""

_registry = Registry()
_ONE = (
    r"""(?:(?:"[^"\\\r\n]*" ?|[\w.'+=-][\w .'+=-]*)?<[^<>\s@,;:"()\\]+@[\w.-]+>|[^<>\s@,;:"()\\]+@[\w.-]+)"""
)
_PLAIN = re.compile(rf" *{_ONE}(?: *, *{_ONE})* *")
"""What nearly every header looks like: the full parser costs fifty times as much."""


def first_bad_address_header(block: bytes) -> str | None:
    """What is wrong with the first header that is not well formed; None when all are."""
    for header in parse_headers(block):
        if header.name.lower() not in ADDRESS_HEADERS:
            continue
        value = header.value[:MAX_CHECKED].decode("utf-8", "replace")
        problem = _problem(header.name, value)
        if problem:
            return f"{problem} in {header.name}: header"
    return None


def sender_addresses(block: bytes) -> list[str]:
    """The addresses of Sender:, Reply-To: and From:, at most MAX_SENDERS; malformed ones are left out."""
    found: list[str] = []
    for header in parse_headers(block):
        if header.name.lower() not in SENDER_HEADERS:
            continue
        try:
            parsed = _registry(header.name, header.value[:MAX_CHECKED].decode("utf-8", "replace"))
        except (IndexError, ValueError, AttributeError):
            continue
        if isinstance(parsed, AddressHeader):
            found += [address.addr_spec for address in parsed.addresses if address.username]
    return found[:MAX_SENDERS]


def _problem(name: str, value: str) -> str:
    if not value.strip():
        return "" if name.lower() == "bcc" else "empty address list"
    if _PLAIN.fullmatch(value):
        return ""
    try:
        parsed = _registry(name, value)
    except (IndexError, ValueError, AttributeError):
        return "malformed address"
    if not isinstance(parsed, AddressHeader):
        return ""
    for address in parsed.addresses:
        if not address.domain and not address.username:
            return "missing or malformed local part"
    if not parsed.addresses and not parsed.groups:
        return "malformed address"
    return ""
