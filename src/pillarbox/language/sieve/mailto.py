"""`mailto:` addresses of notifications (RFC 6068, RFC 5436): recipients, a subject and a text."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import msgspec

from pillarbox.language.addresses import AddressError, address_items, working_address
from pillarbox.language.expand.octets import octets, text_of

MAX_RECIPIENTS = 100
_SCHEME = re.compile("mailto:", re.IGNORECASE)
_FIELD = re.compile(r"([A-Za-z0-9_.!~*'()%$+:-]+)=((?:[A-Za-z0-9_.!~*'()$+,;:@/?-]|%[0-9A-Fa-f]{2})+)")
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_INVALID = "Syntactically invalid URI"
_FORBIDDEN = frozenset({"from", "sender", "cc", "bcc"})


class BadUri(Exception):
    """`str()` says why, in Exim's words."""


class MailTo(msgspec.Struct, frozen=True):
    """`to`: addresses, perhaps without a domain. `subject` None: none is given."""

    to: tuple[str, ...]
    subject: bytes | None = None
    body: bytes = b""


def parse_mailto(uri: str) -> MailTo:
    """Other header fields are passed over; those that name people are not allowed. Raises BadUri."""
    scheme = _SCHEME.match(uri)
    if scheme is None:
        raise BadUri("Unknown URI scheme")
    path, mark, query = uri[scheme.end() :].partition("?")
    recipients = [path] if path else []
    subject, body = None, b""
    for part in query.split("&") if mark else ():
        name, value = _field(part)
        match name:
            case "to":
                recipients.append(text_of(value))
            case "subject":
                subject = value
            case "body":
                body = value.replace(b"\r\n", b"\n")
            case _ if name in _FORBIDDEN:
                raise BadUri(_INVALID)
        if name != "body" and _CONTROLS.search(value):
            raise BadUri(_INVALID)
    return MailTo(_addresses(recipients), subject, body)


def _field(part: str) -> tuple[str, bytes]:
    found = _FIELD.fullmatch(part)
    if found is None:
        raise BadUri(_INVALID)
    return unquote_to_bytes(found[1]).decode("utf-8", "replace").lower(), unquote_to_bytes(found[2])


def _addresses(texts: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        if _NOT_ENCODED.search(text):
            raise BadUri(_INVALID)
        data = unquote_to_bytes(octets(text))
        if _CONTROLS.search(data):
            raise BadUri(_INVALID)
        text = text_of(data)
        for item in address_items(text):
            if not item.text.strip():
                continue
            try:
                found.append(working_address(item.text).address)
            except AddressError:
                raise BadUri(_INVALID) from None
    if not found or len(found) > MAX_RECIPIENTS:
        raise BadUri(_INVALID)
    return tuple(found)
