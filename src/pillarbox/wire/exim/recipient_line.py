"""One recipient's line in a -H file (Exim chapter 57.1, and what Exim 4.100 writes for DSN).

    bob@example.net
    bob@example.net rfc822;Bob@example.org 22,20  0,-1#3

The long form is read from its end: flag bits; length and text of an errors_to address with the number of its parent; length and text
of ORCPT with the NOTIFY bits. A parent's number is of an address that redirect's `one_time` put here: it is the place in the list, from 0,
of the recipient that was redirected.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pillarbox.mail.envelope import Recipient

_NOTIFY = (("NEVER", 2), ("SUCCESS", 4), ("FAILURE", 8), ("DELAY", 16))
_BITS = dict(_NOTIFY)
_LONG_FORM = re.compile(rb"#(\d+)\Z")
_PAIR = re.compile(rb"(\d+),(-?\d+)\Z")
_HAS_PARENT, _HAS_DSN = 1, 2


class RecipientLine(NamedTuple):
    recipient: Recipient
    parent: int = -1
    """-1: it came with the message, or an administrator added it."""
    errors_to: str = ""


def encode_recipient(recipient: Recipient, parent: int = -1, errors_to: str = "") -> bytes:
    """The line with its newline. Raises ValueError when a newline or NUL would break the file."""
    address = address_bytes(recipient.address)
    if parent < 0 and not recipient.notify and not recipient.orcpt and not _LONG_FORM.search(address):
        return address + b"\n"
    orcpt, errors = address_bytes(recipient.orcpt), address_bytes(errors_to)
    bits = sum(_BITS.get(word, 0) for word in set(recipient.notify))
    return b"%b %b %d,%d %b %d,%d#3\n" % (address, orcpt, len(orcpt), bits, errors, len(errors), parent)


def decode_recipient(line: bytes) -> RecipientLine:
    """Raises ValueError."""
    found = _LONG_FORM.search(line)
    if not found:
        return RecipientLine(Recipient(_text(line)))
    flags, rest = int(found.group(1)), line[: found.start()]
    errors, parent = b"", -1
    if flags & _HAS_PARENT:
        rest, errors, parent = _cut_item(rest)
    orcpt, bits = b"", 0
    if flags & _HAS_DSN:
        rest, orcpt, bits = _cut_item(rest)
    recipient = Recipient(_text(rest), tuple(word for word, bit in _NOTIFY if bits & bit), _text(orcpt))
    return RecipientLine(recipient, parent, _text(errors))


def _cut_item(line: bytes) -> tuple[bytes, bytes, int]:
    """Split off ` TEXT LENGTH,NUMBER` at the end: (what is before, TEXT, NUMBER)."""
    pair = _PAIR.search(line)
    if not pair:
        raise ValueError("a recipient's extra fields do not end in LENGTH,NUMBER")
    end = pair.start() - 1
    start = end - int(pair.group(1))
    if start < 1 or line[start - 1 : start] != b" " or line[end : end + 1] != b" ":
        raise ValueError("a recipient's extra field has another length than announced")
    return line[: start - 1], line[start:end], int(pair.group(2))


def address_bytes(address: str) -> bytes:
    """Raises ValueError rather than let an address begin a new line."""
    if "\n" in address or "\0" in address:
        raise ValueError(f"newline or NUL in address {address!r}")
    return address.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
