"""Addresses inside header lines changed one by one, everything around them left as it is (Exim 31.6.4: only the working part)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pillarbox.language.addresses import AddressError, Working, address_items, working_address
from pillarbox.mail.header import parse_headers

ADDRESS_FIELDS = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
"""Also with `Resent-` in front."""


class Replacement(NamedTuple):
    """What to put in place of an address; with `is_whole`, of its name and comments too."""

    text: str
    is_whole: bool = False


Change = Callable[[str, Working], "Replacement | None"]
"""(kind of field in lower case without `resent-`, address) → replacement, None: leave it."""


def change_fields(block: bytes, change: Change) -> bytes:
    """The header block with every address that `change` replaces; the same object when nothing changes."""
    pieces: list[bytes] = []
    has_changed = False
    for field in parse_headers(block):
        kind = field.name.lower().removeprefix("resent-")
        raw = field.raw
        if kind in ADDRESS_FIELDS:
            name, colon, value = raw.partition(b":")
            text = value.decode("utf-8", "surrogateescape")
            changed = change_addresses(text, lambda found, kind=kind: change(kind, found))  # type: ignore[misc]
            if changed is not text:
                has_changed = True
                raw = name + colon + changed.encode("utf-8", "surrogateescape")
        pieces.append(raw)
    return b"".join(pieces) if has_changed else block


def change_addresses(text: str, change: Callable[[Working], Replacement | None]) -> str:
    """One field's value; addresses that are malformed stay."""
    pieces: list[str] = []
    done = 0
    for item in address_items(text):
        try:
            found = working_address(item.text)
        except AddressError:
            continue
        replacement = change(found)
        if replacement is None:
            continue
        begin, end = item.start + found.start, item.start + found.end
        if replacement.is_whole:
            begin = item.start + len(item.text) - len(item.text.lstrip())
            end = item.start + len(item.text.rstrip())
        pieces += [text[done:begin], replacement.text]
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def qualify_fields(block: bytes, sender_domain: str, recipient_domain: str) -> bytes:
    """Local parts without a domain get one, as messages submitted on this machine do (Exim 48.2)."""

    def qualified(kind: str, found: Working) -> Replacement | None:
        if found.domain_at:
            return None
        domain = recipient_domain if kind in ("to", "cc", "bcc") else sender_domain
        return Replacement(f"{found.address}@{domain}")

    return change_fields(block, qualified)
