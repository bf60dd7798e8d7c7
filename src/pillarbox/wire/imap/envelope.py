"""ENVELOPE: a message's header as IMAP shows it (RFC 9051 §7.5.2).

Values are the fields' own bytes, unfolded and otherwise undecoded; 8-bit text becomes literals, which every client may be sent.
"""

from __future__ import annotations

import re

from pillarbox.mail.mime_addresses import GroupStart, Mailbox, parse_addresses
from pillarbox.wire.imap.writing import NIL, nstring, string

_FIELD = re.compile(
    rb"^(date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id)[ \t]*:"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(rb"\r?\n")
_LONGEST_FIELD = 65_536


def format_envelope(header: bytes) -> bytes:
    """The parenthesised ENVELOPE of a header block with CRLF line ends. Empty Sender and Reply-To are From's."""
    fields: dict[bytes, bytes] = {}
    for found in _FIELD.finditer(header):
        name = found[1].lower()
        value = _unfold(found[2][:_LONGEST_FIELD])
        if name not in fields:
            fields[name] = value
        elif name in (b"to", b"cc", b"bcc"):
            fields[name] = (fields[name] + b", " + value)[:_LONGEST_FIELD]
    get = fields.get
    author = _addresses(get(b"from"))
    sender = _addresses(get(b"sender"))
    reply_to = _addresses(get(b"reply-to"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(get(b"date")),
        nstring(get(b"subject")),
        author,
        author if sender == NIL else sender,
        author if reply_to == NIL else reply_to,
        _addresses(get(b"to")),
        _addresses(get(b"cc")),
        _addresses(get(b"bcc")),
        nstring(get(b"in-reply-to")),
        nstring(get(b"message-id")),
    )


def _unfold(value: bytes) -> bytes:
    return (_LINE_END.sub(b"", value) if b"\n" in value else value).strip(b" \t\r")


def _addresses(value: bytes | None) -> bytes:
    if not value:
        return NIL
    items = parse_addresses(value)
    if not items:
        return NIL
    return b"(" + b"".join(map(_address, items)) + b")"


def _address(item: object) -> bytes:
    match item:
        case Mailbox(name=name, route=route, local_part=local_part, domain=domain):
            # An address without a domain must not look like the start of a group, so its host is an empty string.
            return b"(%b %b %b %b)" % (nstring(name), nstring(route), string(local_part), string(domain))
        case GroupStart(name=name):
            return b"(NIL NIL %b NIL)" % string(name)
        case _:
            return b"(NIL NIL NIL NIL)"
