"""Header lines as a -H file keeps them: `038  Date: …`, a length, a type letter, the field (Exim chapter 57.1).

Cutting and joining lose nothing, whatever the block holds: the lengths rule, not the text.
"""

from __future__ import annotations

import re

_LINE = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*|[^\n]+\Z")
_PREFIX = re.compile(rb"(\d{3,9})([A-Za-z* ]) ")
_LETTERS = {
    b"bcc": b"B",
    b"cc": b"C",
    b"from": b"F",
    b"message-id": b"I",
    b"received": b"P",
    b"reply-to": b"R",
    b"sender": b"S",
    b"to": b"T",
}
_LONGEST_NAME = 10
_DELETED = b"*"


def encode_headers(block: bytes) -> bytes:
    """The counted form of a header block in LF form."""
    return b"".join(b"%03d%b %b" % (len(line), _letter(line), line) for line in _LINE.findall(block))


def decode_headers(counted: bytes) -> bytes:
    """The block again, without headers that were replaced or deleted. Raises ValueError."""
    fields: list[bytes] = []
    position, end = 0, len(counted)
    while position < end:
        prefix = _PREFIX.match(counted, position)
        if not prefix:
            raise ValueError(f"no header length at byte {position} of the headers")
        start = prefix.end()
        position = start + int(prefix.group(1))
        if position > end:
            raise ValueError("the last header is shorter than its length says")
        if prefix.group(2) != _DELETED:
            fields.append(counted[start:position])
    return b"".join(fields)


def shown_headers(block: bytes) -> str:
    """As rejectlog shows them: `F From: …`; lines that go on keep their white space."""
    lines = (_letter(line) + b" " + line for line in _LINE.findall(block))
    return b"".join(lines).decode("utf-8", "surrogateescape").rstrip("\n")


def _letter(line: bytes) -> bytes:
    colon = line.find(b":", 0, _LONGEST_NAME + 3)
    return _LETTERS.get(line[:colon].rstrip(b" \t").lower(), b" ") if colon > 0 else b" "
