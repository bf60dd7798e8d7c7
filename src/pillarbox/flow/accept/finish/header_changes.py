"""What ACLs want added to and removed from the header block (Exim 44.15, 44.16)."""

from __future__ import annotations

import re

from pillarbox.flow.check.acl.state import HeaderChanges
from pillarbox.mail import header

_RECEIVED = frozenset({"received"})
_RECEIVED_OR_RESENT = re.compile(r"received|resent-.*")


def apply_changes(block: bytes, changes: HeaderChanges) -> bytes:
    """The changed block; `changes` is empty afterwards, so that what comes later may add the same again."""
    if changes.removed:
        block = header.remove(block, frozenset(changes.removed))
    for place, field in changes.added:
        block = _insert(block, place, f"{field}\n".encode("utf-8", "surrogateescape"))
    changes.removed.clear()
    changes.added.clear()
    return block


def renames(changes: HeaderChanges) -> bool:
    """Whether they are about the Message-ID too."""
    names = (*changes.removed, *(field for _, field in changes.added))
    return any(name.lower().startswith("message-id") for name in names)


def _insert(block: bytes, place: str, line: bytes) -> bytes:
    """One after the other: a later one stands in front of an earlier one at the same place, but for the end."""
    if place == "at_end":
        return block + line
    cut = 0 if place == "at_start" else _end_of_trace(block, is_resent_too=True)
    return block[:cut] + line + block[cut:]


def _end_of_trace(block: bytes, *, is_resent_too: bool) -> int:
    """Where the first run of Received: fields (and of Resent- ones behind it) ends; 0: there is none."""
    end = at = 0
    for field in header.parse_headers(block):
        name = field.name.lower()
        is_trace = name in _RECEIVED or (is_resent_too and end and _RECEIVED_OR_RESENT.fullmatch(name))
        at += len(field.raw)
        if is_trace:
            end = at
        elif end:
            break
    return end
