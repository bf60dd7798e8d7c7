"""What FETCH asks for (RFC 9051 §6.4.5; BINARY RFC 3516; CONDSTORE RFC 7162; SAVEDATE RFC 8514)."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from pillarbox.wire.imap.cursor import BadSyntax, Cursor
from pillarbox.wire.imap.sections import Partial, Section, parse_part, parse_partial, parse_section

_NAME = re.compile(rb"[A-Z0-9.]+", re.IGNORECASE)
_PLAIN = frozenset(
    [
        "UID",
        "FLAGS",
        "INTERNALDATE",
        "RFC822.SIZE",
        "ENVELOPE",
        "BODY",
        "BODYSTRUCTURE",
        "MODSEQ",
        "SAVEDATE",
    ]
)
_MACROS = {
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}


class Plain(msgspec.Struct, frozen=True):
    """An item that is only a name: UID, FLAGS, ENVELOPE …"""

    name: str


class Text(msgspec.Struct, frozen=True):
    """BODY[…] and its old names: some of the message's own bytes."""

    label: bytes
    """What stands before the string in the response, origin of a partial included."""
    section: Section
    partial: Partial | None
    sets_seen: bool


class Binary(msgspec.Struct, frozen=True):
    """BINARY[…]: a part with its content transfer encoding taken off."""

    label: bytes
    section: Section
    partial: Partial | None
    sets_seen: bool


class BinarySize(msgspec.Struct, frozen=True):
    label: bytes
    section: Section


FetchItem: TypeAlias = Plain | Text | Binary | BinarySize

_OLD_NAMES = {
    "RFC822": Text(b"RFC822", Section(), None, sets_seen=True),
    "RFC822.HEADER": Text(b"RFC822.HEADER", Section(text="HEADER"), None, sets_seen=False),
    "RFC822.TEXT": Text(b"RFC822.TEXT", Section(text="TEXT"), None, sets_seen=True),
}


def parse_fetch_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """A macro, one item, or items in parentheses."""
    if cursor.peek() == b"(":
        items = cursor.parenthesised(_item)
    else:
        found = cursor.match(_NAME)
        name = found[0].decode("ascii").upper() if found is not None else ""
        if name in _MACROS:
            return tuple(Plain(plain) for plain in _MACROS[name])
        items = [_named(name, cursor)]
    return tuple(dict.fromkeys(items))


def _item(cursor: Cursor) -> FetchItem:
    found = cursor.match(_NAME)
    return _named(found[0].decode("ascii").upper() if found is not None else "", cursor)


def _named(name: str, cursor: Cursor) -> FetchItem:
    if cursor.peek() == b"[":
        return _bracketed(name, cursor)
    if name in _PLAIN:
        return Plain(name)
    if name in _OLD_NAMES:
        return _OLD_NAMES[name]
    raise BadSyntax(f"Unknown fetch item {name}")


def _bracketed(name: str, cursor: Cursor) -> FetchItem:
    match name:
        case "BODY" | "BODY.PEEK":
            section = parse_section(cursor)
            partial = parse_partial(cursor)
            return Text(b"BODY" + section.label + _origin(partial), section, partial, name == "BODY")
        case "BINARY" | "BINARY.PEEK":
            section = parse_part(cursor)
            partial = parse_partial(cursor)
            return Binary(b"BINARY" + section.label + _origin(partial), section, partial, name == "BINARY")
        case "BINARY.SIZE":
            section = parse_part(cursor)
            return BinarySize(b"BINARY.SIZE" + section.label, section)
    raise BadSyntax(f"Unknown fetch item {name}")


def _origin(partial: Partial | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial.offset
