"""Addresses inside header lines changed one by one, everything around them left as it is (Exim 31.6.4: only the working part)."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from pillarbox.language.addresses import EMPTY, AddressError, Working, address_items, working_address
from pillarbox.language.rewrite.folding import FoldedLine, octets

ADDRESS_FIELDS = frozenset({"from", "sender", "reply-to", "to", "cc", "bcc"})
"""Also with `Resent-` in front, but for Reply-To:, where that is no field of RFC 5322 and Exim leaves it alone."""


_ADDRESS_FIELD = re.compile(
    rb"\n((?:resent-)?(?:from|sender|to|cc|bcc)|reply-to)([ \t]*:)((?:[^\n]*\n[ \t])*[^\n]*(?:\n|\Z))",
    re.IGNORECASE,
)
"""One of them, in a block that begins with a newline: what begins with a certain character is found quickly."""
_ATOM = rb"[\w!#$%&'*+/=?^`{|}~-]+"
_ADDRESS = rb"%s(?:\.%s)*@[A-Za-z0-9][\w-]*(?:\.[\w-]+)*" % (_ATOM, _ATOM)
_ITEM = rb"(?:(?:[\w '=?!*+/-]*|\"[^\"\\\n]*\" ?)<%s>|%s)" % (_ADDRESS, _ADDRESS)
_UNUSUAL = re.compile(
    rb"^(?:resent-)?(?:from|sender|reply-to|to|cc|bcc):(?! ?%s(?:,[ \t]*(?:\n[ \t]+)?%s)*\n(?![ \t]))"
    % (_ITEM, _ITEM),
    re.IGNORECASE | re.MULTILINE,
)


class Replacement(NamedTuple):
    """What to put in place of an address; with `is_whole`, of its name and comments too."""

    text: str
    is_whole: bool = False


Change = Callable[[str, Working], "Replacement | None"]
"""(kind of field in lower case without `resent-`, address) → replacement, None: leave it."""

Complain = Callable[[str], None]


def may_be_malformed(block: bytes) -> bool:
    """An address field is not of the usual forms, which are right for sure: quick to say, for every message."""
    return _UNUSUAL.search(block) is not None


def change_fields(
    block: bytes,
    change: Change,
    complain: Complain | None = None,
    *,
    kinds: Container[str] = ADDRESS_FIELDS,
) -> bytes:
    """The header block with every address that `change` replaces; the same object when nothing changes. `complain` is told of malformed ones.
    `kinds`: `change` leaves all others alone."""
    pieces: list[bytes] = []
    done = 0
    with_newline = b"\n" + block
    for field in _address_fields(with_newline):
        full_name, raw_colon, value = field.groups()
        kind = full_name.decode("ascii").lower().removeprefix("resent-")
        if kind not in kinds:
            continue
        text = value.decode("utf-8", "surrogateescape")
        changed = change_addresses(
            text,
            lambda found, kind=kind: change(kind, found),  # type: ignore[misc]
            complain,
            width=len(full_name) + len(raw_colon),
        )
        if changed is not text:
            pieces += with_newline[done : field.start(3)], changed.encode("utf-8", "surrogateescape")
            done = field.end()
    if not pieces:
        return block
    return b"".join((*pieces, with_newline[done:]))[1:]


def _address_fields(block: bytes) -> Iterator[re.Match[bytes]]:
    """`block` begins with a newline, which stands in front of each field."""
    at = 0
    while (found := _ADDRESS_FIELD.search(block, at)) is not None:
        yield found
        at = found.end() - 1


def change_addresses(
    text: str,
    change: Callable[[Working], Replacement | None],
    complain: Complain | None = None,
    *,
    width: int = 0,
) -> str:
    """One field's value; addresses that are malformed stay. `width`: octets in front of it."""
    line = FoldedLine(width)
    done = 0
    for item in address_items(text):
        try:
            found = working_address(item.text)
        except AddressError:
            trouble = _trouble(item.text.strip()) if complain is not None else EMPTY
            if complain is not None and trouble != EMPTY:
                complain(f"qualify/rewrite: {trouble}")
            continue
        replacement = change(found)
        if replacement is None:
            continue
        begin, end = item.start + found.start, item.start + found.end
        if replacement.is_whole:
            begin = item.start + len(item.text) - len(item.text.lstrip())
            end = item.start + len(item.text.rstrip())
            if begin == done:
                line.unfold()
        line.add(text[done:begin] + replacement.text)
        done = end
        if octets(replacement.text) > octets(text[begin:end]):
            behind = item.start + len(item.text)
            line.add(text[end:behind])
            done = line.add_fold(text, behind)
    return f"{line}{text[done:]}" if done else text


def _trouble(text: str) -> str:
    """What is wrong with an address that is none, the white space around it left out."""
    try:
        working_address(text)
    except AddressError as error:
        return str(error)
    return ""


def qualify_fields(block: bytes, sender_domain: str, recipient_domain: str) -> bytes:
    """Local parts without a domain get one, as messages submitted on this machine do (Exim 48.2)."""

    def qualified(kind: str, found: Working) -> Replacement | None:
        if found.domain_at:
            return None
        domain = recipient_domain if kind in ("to", "cc", "bcc") else sender_domain
        return Replacement(f"{found.address}@{domain}")

    return change_fields(block, qualified)
