"""Header lines as a -H file keeps them: `038  Date: …`, a length, a type letter, the field (Exim chapter 57.1).

Cutting and joining lose nothing, whatever the block holds: the lengths rule, not the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pillarbox.mail.replaced import Replaced, woven

_LINE = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*|[^\n]+\Z")
_PREFIX = re.compile(rb"(\d{3,9})([A-Za-z* ]) ")
_LETTERS = {
    b"bcc": b"B",
    b"cc": b"C",
    b"from": b"F",
    b"received": b"P",
    b"reply-to": b"R",
    b"sender": b"S",
    b"to": b"T",
}
_LETTERS |= {b"resent-" + name: _LETTERS[name] for name in (b"bcc", b"cc", b"from", b"sender", b"to")}
_LONGEST_NAME = 17
_RESENT = re.compile(rb"^resent-", re.IGNORECASE | re.MULTILINE)
_DELETED = b"*"


def encode_headers(block: bytes, replaced: Sequence[Replaced] = ()) -> bytes:
    """The counted form of a header block in LF form, and of the lines that were replaced or deleted."""
    lines = list(_lettered(block))
    if replaced:
        letters = iter([letter for letter, _ in lines])
        both = woven([line for _, line in lines], replaced)
        lines = [(_DELETED if is_gone else next(letters), line) for line, is_gone in both]
    return b"".join(b"%03d%b %b" % (len(line), letter, line) for letter, line in lines)


def decode_headers(counted: bytes) -> tuple[bytes, tuple[Replaced, ...]]:
    """The block again, and what was replaced or deleted. Raises ValueError."""
    fields: list[bytes] = []
    replaced: list[Replaced] = []
    position, end = 0, len(counted)
    while position < end:
        prefix = _PREFIX.match(counted, position)
        if not prefix:
            raise ValueError(f"no header length at byte {position} of the headers")
        start = prefix.end()
        position = start + int(prefix.group(1))
        if position > end:
            raise ValueError("the last header is shorter than its length says")
        if prefix.group(2) == _DELETED:
            replaced.append(Replaced(len(fields), counted[start:position]))
        else:
            fields.append(counted[start:position])
    return b"".join(fields), tuple(replaced)


def shown_headers(block: bytes) -> str:
    """As rejectlog shows them: `F From: …`; lines that go on keep their white space."""
    lines = (letter + b" " + line for letter, line in _lettered(block))
    return b"".join(lines).decode("utf-8", "surrogateescape").rstrip("\n")


def _lettered(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each field with its letter. Only the first Message-ID: has one; that of the resending, where there are Resent- fields."""
    lines: list[bytes] = _LINE.findall(block)
    is_resent = _RESENT.search(block) is not None
    id_name = b"resent-message-id" if is_resent else b"message-id"
    for line in lines:
        colon = line.find(b":", 0, _LONGEST_NAME + 3)
        name = line[:colon].rstrip(b" \t").lower() if colon > 0 else b""
        if name == id_name:
            id_name = b":"
            yield b"I", line
        else:
            yield _LETTERS.get(name, b" "), line
