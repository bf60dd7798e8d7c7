"""What ACLs want added to and removed from the header block (Exim 44.15, 44.16), and what no message in transit should have."""

from __future__ import annotations

import re

from pillarbox.flow.check.acl.state import HeaderChanges
from pillarbox.mail import header

_DELIVERY_FIELDS = frozenset({"return-path", "delivery-date", "envelope-to"})
_HAS_DELIVERY_FIELDS = re.compile(
    rb"^(?:return-path|delivery-date|envelope-to)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_RECEIVED = frozenset({"received"})
_RECEIVED_OR_RESENT = re.compile(r"received|resent-.*")


def remove_delivery_fields(block: bytes) -> bytes:
    """Without what a final delivery would have put there (Exim's `return_path_remove` and its kin)."""
    if _HAS_DELIVERY_FIELDS.search(block) is None:
        return block
    return header.remove(block, _DELIVERY_FIELDS)


def apply_changes(block: bytes, changes: HeaderChanges) -> bytes:
    """The changed block; `changes` is empty afterwards, so that what comes later may add the same again."""
    if changes.removed:
        block = header.remove(block, frozenset(changes.removed))
    if changes.added:
        places: dict[str, list[bytes]] = {}
        for place, field in changes.added:
            places.setdefault(place, []).append(f"{field}\n".encode("utf-8", "surrogateescape"))
        block = _insert(block, places)
    changes.removed.clear()
    changes.added.clear()
    return block


def _insert(block: bytes, places: dict[str, list[bytes]]) -> bytes:
    block += b"".join(places.pop("at_end", ()))
    if places:
        cut = _end_of_trace(block, is_resent_too=False)
        received, rest = block[:cut], block[cut:]
        cut = _end_of_trace(rest, is_resent_too=True)
        resent, rest = rest[:cut], rest[cut:]
        first, after = places.get("at_start", []), places.get("after_received", [])
        block = b"".join([*first, received, *after, resent, *places.get("at_start_rfc", []), rest])
    return block


def _end_of_trace(block: bytes, *, is_resent_too: bool) -> int:
    """Where the Received: fields (and Resent- ones) at the top end."""
    end = 0
    for field in header.parse_headers(block):
        name = field.name.lower()
        if name not in _RECEIVED and not (is_resent_too and _RECEIVED_OR_RESENT.fullmatch(name)):
            break
        end += len(field.raw)
    return end
