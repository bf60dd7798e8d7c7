"""Which bytes of a message are asked for: the inside of `BODY[…]` and `<…>` (RFC 9051 §6.4.5, §9 section)."""

from __future__ import annotations

import re

import msgspec

from pillarbox.wire.imap.cursor import BadSyntax, Cursor

_PART = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_TEXT = re.compile(rb"HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME", re.IGNORECASE)
_PARTIAL = re.compile(rb"<([0-9]{1,19})\.([1-9][0-9]{0,18})>")
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_DEEPEST = 100


class Section(msgspec.Struct, frozen=True):
    """`part` is the path of numbers, empty for the message itself; `text` one of "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME."""

    part: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()
    """Header field names in lower case."""
    label: bytes = b"[]"
    """As the response repeats it, brackets included."""


class Partial(msgspec.Struct, frozen=True):
    """`<offset.size>` in bytes."""

    offset: int
    size: int


WHOLE = Section()


def parse_section(cursor: Cursor) -> Section:
    """`[1.2.HEADER.FIELDS (From To)]`, brackets included."""
    cursor.expect(b"[")
    part, has_dot = _part(cursor)
    found = cursor.match(_TEXT) if has_dot or not part else None
    text = found[0].decode("ascii").upper() if found is not None else ""
    if (has_dot and not text) or (text == "MIME" and not part):
        raise BadSyntax("Malformed section")
    names: list[bytes] = []
    if text.startswith("HEADER.FIELDS"):
        cursor.space()
        names = cursor.parenthesised(_field_name)
    cursor.expect(b"]")
    return Section(part, text, tuple(name.lower() for name in names), _label(part, text, names))


def parse_part(cursor: Cursor) -> Section:
    """`[1.2]` of BINARY: a path and nothing else."""
    cursor.expect(b"[")
    part, has_dot = _part(cursor)
    if has_dot:
        raise BadSyntax("Malformed section")
    cursor.expect(b"]")
    return Section(part, "", (), _label(part, "", []))


def parse_partial(cursor: Cursor) -> Partial | None:
    if cursor.peek() != b"<":
        return None
    found = cursor.match(_PARTIAL)
    if found is None:
        raise BadSyntax("Malformed partial")
    return Partial(int(found[1]), int(found[2]))


def _part(cursor: Cursor) -> tuple[tuple[int, ...], bool]:
    found = cursor.match(_PART)
    if found is None:
        return (), False
    part = tuple(map(int, found[0].split(b".")))
    if len(part) > _DEEPEST:
        raise BadSyntax("Section nested too deep")
    return part, cursor.take(b".")


def _field_name(cursor: Cursor) -> bytes:
    name = cursor.astring()
    if not _FIELD_NAME.fullmatch(name):
        raise BadSyntax("Not a header field name")
    return name


def _label(part: tuple[int, ...], text: str, names: list[bytes]) -> bytes:
    path = ".".join(map(str, part))
    dot = "." if path and text else ""
    fields = b" (" + b" ".join(map(_astring, names)) + b")" if names else b""
    return f"[{path}{dot}{text}".encode("ascii") + fields + b"]"


def _astring(name: bytes) -> bytes:
    """Field names have no CTL, so quoting always serves."""
    if re.fullmatch(rb"[!#$&'+-Z^-z|}~]+", name):
        return name
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
